"""Runs the command without root's rights, which hide limits that users meet."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import spliceproxy

from .proxy_command import Launcher, clean_environment

USER = "nobody"


def _requirements(name: str) -> set[str]:
    """Return a distribution and everything that it needs, by name."""
    found = {name}
    for requirement in importlib.metadata.requires(name) or []:
        word = re.match(r"[\w.-]+", requirement)
        if word is None or ";" in requirement:
            continue  # markers: other platforms, older Pythons, extras
        found |= _requirements(word[0])
    return found


def _copy_packages(target: Path) -> None:
    """Copy the package and what it imports where anyone may read it."""
    shutil.copytree(Path(spliceproxy.__file__).parent, target / "spliceproxy")
    for name in _requirements("spliceproxy") | {"zstandard"}:
        distribution = importlib.metadata.distribution(name)
        for file in distribution.files or []:
            if ".." not in file.parts and "__pycache__" not in file.parts:
                copy = target / file
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(distribution.locate_file(file), copy)  # type: ignore[arg-type]


def _can_run(launcher: Launcher) -> bool:
    try:
        process = launcher.popen("--version", stderr=subprocess.DEVNULL)
    except PermissionError:
        return False
    process.communicate(timeout=20)
    return process.returncode == 0


@contextmanager
def unprivileged_launcher() -> Iterator[Launcher]:
    """Yield a launcher for a user without rights: ourselves, or `nobody` when we are root.

    The checkout and its environment may lie where only root can go, so `nobody` gets a copy,
    run by the first interpreter that it may execute.
    """
    if os.geteuid() != 0:
        yield Launcher()
        return
    with tempfile.TemporaryDirectory(prefix="spliceproxy-") as directory:
        target = Path(directory)
        target.chmod(0o755)
        _copy_packages(target)
        environment = clean_environment() | {"PYTHONPATH": directory}
        base = Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")
        for interpreter in (str(base), "/usr/bin/python3"):
            argv = (interpreter, "-B", "-m", "spliceproxy")
            launcher = Launcher(argv, environment, user=USER)
            if _can_run(launcher):
                yield launcher
                return
        pytest.skip(f"no Python that the user {USER} may run")
