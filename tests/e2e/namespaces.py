"""A proxy in a network of its own, without IPv6, and with an /etc/hosts of its own."""

import subprocess
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


def launcher_without_ipv6(hosts: Path) -> Launcher:
    """Start the command where IPv6 is switched off; skips where no namespace can be had."""
    before = ("unshare", "--net", "--mount", "sh", "-c", _WITHOUT_IPV6, "sh", str(hosts))
    try:
        subprocess.run([*before, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a network namespace takes rights that this user does not have")
    return Launcher((*before, *Launcher().argv))
