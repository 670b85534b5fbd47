"""A proxy where something is missing: IPv6, a /tmp that it may write into, /proc, its directory."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from .proxy_command import Launcher

_WITHOUT_IPV6 = """\
set -e
mount --bind "$1" /etc/hosts
shift
ip link set lo up
echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6
exec "$@"
"""

_WITHOUT_TMP = """\
set -e
for directory in /tmp /var/tmp; do  # read-only, and not hidden: the command may be in there
    mount --bind "$directory" "$directory"
    mount -o remount,bind,ro "$directory"
done
exec "$@"
"""


def launcher_without_ipv6(hosts: Path) -> Launcher:
    """Start the command where IPv6 is switched off; skips where no namespace can be had."""
    return _launcher("unshare", "--net", "--mount", "sh", "-c", _WITHOUT_IPV6, "sh", str(hosts))


def launcher_without_tmp() -> Launcher:
    """Start the command where no temporary file can be made; skips likewise."""
    launcher = _launcher("unshare", "--mount", "sh", "-c", _WITHOUT_TMP, "sh")
    environment = {name: text for name, text in launcher.environment.items() if name != "TMPDIR"}
    return replace(launcher, environment=environment, directory="/proc")


def launcher_without_proc() -> Launcher:
    """Start the command where an empty directory is in the place of /proc; skips likewise."""
    script = 'mount -t tmpfs none /proc; exec "$@"'
    return _launcher("unshare", "--mount", "sh", "-e", "-c", script, "sh")


def launcher_in_removed_directory(directory: Path) -> Launcher:
    """Start the command in a directory that is removed before."""
    directory.mkdir()
    script = 'rmdir "$1"; shift; exec "$@"'
    argv = ("sh", "-e", "-c", script, "sh", str(directory), *Launcher().argv)
    return Launcher(argv, directory=str(directory))


def _launcher(*before: str) -> Launcher:
    try:
        subprocess.run([*before, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("namespaces take rights that this user does not have")
    return Launcher((*before, *Launcher().argv))
