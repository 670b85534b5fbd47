"""Attempts that meet in one batch of the reactor."""

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from spliceproxy.formats.proxy_protocol.header import PeerAddress
from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.kernel.sockets import Socket
from spliceproxy.loop.reactor import Reactor
from spliceproxy.settings.address import TcpAddress
from spliceproxy.settings.backend import BackendSettings
from spliceproxy.settings.dns import DnsSettings
from spliceproxy.settings.listen import ListenSettings
from spliceproxy.settings.proxy import RouteSettings
from spliceproxy.upstream.attempt import Attempt
from spliceproxy.upstream.backend import Backend
from spliceproxy.upstream.group import find_groups
from spliceproxy.upstream.pool import BackendPool
from spliceproxy.upstream.resolver import Resolver


class Caller:
    """Keeps what it hears."""

    client_ip = b""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def proxied_addresses(self) -> tuple[PeerAddress | None, PeerAddress | None]:
        return None, None

    def connected(self, sock: Socket, target: SocketAddress, backend: Backend) -> None:
        sock.close()
        self.heard.append("connected")

    def connect_failed(self, target: SocketAddress, backend: Backend, why: str) -> None:
        self.heard.append(why)

    def not_connected(self, why: str) -> None:
        self.heard.append(f"failed: {why}")

    def on_crash(self, error: Exception) -> None:
        self.heard.append(f"crashed: {error}")


@pytest.fixture
def pool() -> Iterator[BackendPool]:
    """With one backend that takes one connection."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        closing(SharedTable(9)) as table,
        closing(Reactor()) as reactor,
    ):
        address = TcpAddress("127.0.0.1", listener.getsockname()[1])
        backend = BackendSettings(address=address, max_connections=1)
        route = RouteSettings(
            listen=(ListenSettings(address=TcpAddress("127.0.0.1", 0)),), backends=(backend,)
        )
        groups = find_groups(route.backends, Resolver(DnsSettings()))
        yield BackendPool(reactor, groups, route, table)


def start(pool: BackendPool) -> Caller:
    caller = Caller()
    Attempt(pool, caller).start()
    return caller


async def test_nobody_overtakes_those_who_wait_not_even_in_the_same_batch(
    pool: BackendPool,
) -> None:
    first, second = start(pool), start(pool)
    assert (first.heard, second.heard) == (["connected"], [])
    pool.reactor._in_batch = True
    pool.give_back(pool.backends[0])
    third = start(pool)
    assert third.heard == []
    pool.reactor.end_batch()
    assert (second.heard, third.heard) == (["connected"], [])
    assert len(pool.queue) == 1
    pool.give_back(pool.backends[0])
    assert third.heard == ["connected"]


async def test_a_crash_of_who_is_connected_is_told(pool: BackendPool) -> None:
    class Crashing(Caller):
        def connected(self, sock: Socket, target: SocketAddress, backend: Backend) -> None:
            sock.close()
            raise RuntimeError("unforeseen")

    start(pool)
    waiting = Crashing()
    Attempt(pool, waiting).start()
    pool.give_back(pool.backends[0])
    assert waiting.heard == ["crashed: unforeseen"]
    assert not pool.queue.waiting
