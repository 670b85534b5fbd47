"""The check that no test leaves a descriptor open, and what dials need."""

import socket
from collections.abc import AsyncIterator, Iterator

import pytest

from spliceproxy.kernel.addresses import SocketAddress
from tests.descriptors import no_descriptor_is_left_open
from tests.loop.dialling import Dialling, tcp
from tests.loop.watching import running_reactor

__all__ = ["no_descriptor_is_left_open"]


@pytest.fixture
async def dialling() -> AsyncIterator[Dialling]:
    async with running_reactor() as reactor:
        yield Dialling(reactor)
        assert reactor._watchers == {}


@pytest.fixture
def good() -> Iterator[SocketAddress]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield tcp(listener.getsockname()[1], "good")
