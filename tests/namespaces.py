"""A network namespace of a test's own, in which it may change the kernel's settings."""

import subprocess
import sys
from collections.abc import Callable

import pytest

_ENTER = """
import socket, sys
from pathlib import Path
from tools.bench.network import _raise_loopback

_raise_loopback()
"""


def run_in_own_network(program: Callable[[str], str], script: str, *arguments: str) -> str:
    """Run a Python script as root of a network with a loopback only; what it has printed.

    Skips the test where nobody may have that.
    """
    command = [program("unshare"), "--map-root-user", "--net", sys.executable, "-c"]
    outcome = subprocess.run(
        [*command, _ENTER + script, *arguments], capture_output=True, text=True, timeout=60
    )
    if "unshare" in outcome.stderr or "RTNETLINK" in outcome.stderr:
        pytest.skip(f"no network of its own here: {outcome.stderr}")
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout
