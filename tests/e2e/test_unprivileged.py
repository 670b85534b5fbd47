"""Without root's rights the kernel bounds the memory of pipes: still every byte arrives."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from .conftest import StartProxy
from .proxy_command import Launcher
from .test_streams import get
from .unprivileged import unprivileged_launcher

pytestmark = [pytest.mark.e2e, pytest.mark.alone("uses up a user's quota of pipes")]

HOLD_EVERY_PIPE = """
import fcntl, os, sys
held = []
try:
    while len(held) < 4096:
        pipe = os.pipe()
        held.append(pipe)
        fcntl.fcntl(pipe[1], fcntl.F_SETPIPE_SZ, 1 << 20)
except OSError:
    pass
print(len(held), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def launcher() -> Iterator[Launcher]:
    with unprivileged_launcher() as launcher:
        yield launcher


@contextmanager
def every_pipe_held(launcher: Launcher) -> Iterator[int]:
    """Use the user's quota of pipe memory up, in another process; yields the number of pipes."""
    interpreter = sys.executable if launcher.user is None else launcher.argv[0]
    process = subprocess.Popen(
        [interpreter, "-c", HOLD_EVERY_PIPE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        user=launcher.user,
        group=None if launcher.user is None else "nogroup",
        extra_groups=None if launcher.user is None else [],
        cwd="/",
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(10)


def test_an_ordinary_user_is_served(
    start_proxy: StartProxy, origin: str, launcher: Launcher
) -> None:
    proxy = start_proxy("--backend", origin, launcher=launcher)
    with proxy.connect() as client:
        get(client, 64 << 20, 1)
    line = proxy.log.wait("connection")[0]
    assert (line["reason"], line["copied_bytes"]) == ("closed", 0)


def test_a_used_up_pipe_quota_loses_no_byte(
    start_proxy: StartProxy, origin: str, launcher: Launcher
) -> None:
    with every_pipe_held(launcher) as held:
        assert held >= 16
        proxy = start_proxy("--backend", origin, "--workers", "1", launcher=launcher)
        clients = [proxy.connect() for _ in range(40)]
        for seed, client in enumerate(clients):
            with client:
                get(client, 1 << 20, seed)
        lines = proxy.log.wait("connection", count=40)
    assert {line["reason"] for line in lines} == {"closed"}
    assert sum(line["response_bytes"] for line in lines) == 40 << 20
