"""`spliceproxy top` beside a running proxy."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import StartProxy
from .peers import Backend
from .proxy_command import ProxyCommand
from .terminal import Terminal

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

COMMAND = str(Path(sys.executable).with_name("spliceproxy"))


@pytest.fixture
def backend() -> Iterator[Backend]:
    with Backend() as backend:
        yield backend


@pytest.fixture
def admin(tmp_path: Path) -> str:
    return f"unix:{tmp_path}/admin.sock"


@pytest.fixture
def proxy(start_proxy: StartProxy, backend: Backend, admin: str) -> ProxyCommand:
    return start_proxy("--backend", backend.address, "--admin", admin, "--workers", "1")


def test_a_pipe_gets_text(proxy: ProxyCommand, backend: Backend, admin: str) -> None:
    with proxy.connect() as client, backend.accept():
        arguments = ("top", "--admin", admin, "--interval", "200ms", "--count", "2")
        done = subprocess.run([COMMAND, *arguments], capture_output=True, timeout=30, check=True)
        name = "{}:{}".format(*client.getsockname())
    text = done.stdout.decode()
    assert text.count(f"pid {proxy.pid}, ") == 2
    assert text.count("1 open, ") == 2
    assert backend.address in text
    assert name in text
    assert done.stderr == b""


def test_a_terminal_shows_it_live(proxy: ProxyCommand, backend: Backend, admin: str) -> None:
    with Terminal(COMMAND, "top", "--admin", admin, "--interval", "200ms") as top:
        top.wait(f"pid {proxy.pid}", "0 open", "default", "1 routes")
        with proxy.connect() as client, backend.accept():
            top.wait("1 open")
            top.press("c")
            top.wait("1 connections", "{}:{}".format(*client.getsockname()))
            top.press("q")
            assert top.wait_exit() == 0
