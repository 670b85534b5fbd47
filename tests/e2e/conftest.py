"""Fixtures of the end-to-end tests."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from .port_printing import running_module
from .proxy_command import Launcher, ProxyCommand


class StartProxy(Protocol):
    """Starts the installed command with these arguments."""

    def __call__(self, *arguments: str, launcher: Launcher | None = None) -> ProxyCommand: ...


@pytest.fixture
def start_proxy(tmp_path: Path) -> Iterator[StartProxy]:
    """Start proxies that are checked and stopped when the test ends.

    It asks for the test's directory so that this goes after them, who may be working in it.
    """
    del tmp_path
    with ExitStack() as stack:

        def start(*arguments: str, launcher: Launcher | None = None) -> ProxyCommand:
            proxy = ProxyCommand(*arguments, launcher=launcher)
            stack.callback(proxy.finish)
            return proxy

        yield start


@pytest.fixture(scope="session")
def origin() -> Iterator[str]:
    """The demo's origin, whose data both ends can check; yields HOST:PORT."""
    with running_module("tools.demo.origin") as address:
        yield address
