"""A command that root starts, and whose workers run as another user."""

import grp
import os
import pwd
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from .proxy_command import Launcher
from .unprivileged import USER, unprivileged_launcher

UID, GID = pwd.getpwnam(USER).pw_uid, pwd.getpwnam(USER).pw_gid

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="root alone can be another user")


@contextmanager
def root_launcher() -> Iterator[Launcher]:
    """Yield a launcher for root, of a copy that others can read."""
    with unprivileged_launcher() as launcher:
        yield replace(launcher, user=None)


@contextmanager
def roots_directory(mode: int = 0o755) -> Iterator[Path]:
    """Yield a new directory of root's, which others can reach."""
    with tempfile.TemporaryDirectory(prefix="spliceproxy-") as name:
        Path(name).chmod(mode)
        yield Path(name)


def status(pid: int | str) -> dict[str, str]:
    """Return what the kernel tells of a process."""
    return parse_status(Path(f"/proc/{pid}/status").read_text())


def parse_status(text: str) -> dict[str, str]:
    lines = (line.partition(":") for line in text.splitlines())
    return {name: value.strip() for name, _, value in lines}


def assert_has_nothing(told: dict[str, str]) -> None:
    """Check that a process is nobody, and has no right that root has."""
    groups = {str(gid) for gid in os.getgrouplist(USER, GID)}
    assert told["Uid"].split() == [str(UID)] * 4
    assert told["Gid"].split() == [str(GID)] * 4
    assert set(told["Groups"].split()) == groups
    sets = {name: int(told[name], 16) for name in told if name.startswith("Cap")}
    assert set(sets) == {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}
    assert not any(sets.values()), sets
    assert told["NoNewPrivs"] == "1"


def group_name() -> str:
    return grp.getgrgid(GID).gr_name
