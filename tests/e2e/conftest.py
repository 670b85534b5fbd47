"""Fixtures of the end-to-end tests."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from .proxy_command import Launcher, ProxyCommand


class StartProxy(Protocol):
    """Starts the installed command with these arguments."""

    def __call__(self, *arguments: str, launcher: Launcher | None = None) -> ProxyCommand: ...


@pytest.fixture
def start_proxy() -> Iterator[StartProxy]:
    """Start proxies that are checked and stopped when the test ends."""
    with ExitStack() as stack:

        def start(*arguments: str, launcher: Launcher | None = None) -> ProxyCommand:
            proxy = ProxyCommand(*arguments, launcher=launcher)
            stack.callback(proxy.finish)
            return proxy

        yield start


@pytest.fixture(scope="session")
def origin() -> Iterator[str]:
    """The demo's origin, whose data both ends can check; yields HOST:PORT."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tools.demo.origin"],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    try:
        yield f"127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()
