"""Attempts that meet in one batch of the reactor."""

import errno
import socket
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from types import FrameType

import pytest
import trio

from spliceproxy.formats.proxy_protocol.header import ProxiedClient
from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.kernel import syscalls
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
from spliceproxy.upstream.group import Member, find_groups
from spliceproxy.upstream.pool import BackendPool
from spliceproxy.upstream.resolved import Resolved
from spliceproxy.upstream.resolver import Resolver
from tests.backlog import full_tcp_backlog
from tests.faults import AnswerAt
from tests.loop.dialling import REFUSING, tcp
from tests.loop.watching import running_reactor


class Caller:
    """Keeps what it hears."""

    client_ip = b""
    start_tls = None

    def __init__(self) -> None:
        self.heard: list[str] = []

    def proxied_client(self) -> ProxiedClient:
        return ProxiedClient(None, None)

    def connected(self, sock: Socket, target: SocketAddress, backend: Backend) -> None:
        sock.close()
        self.heard.append("connected")

    def connect_failed(
        self, target: SocketAddress, backend: Backend, why: str, detail: str = ""
    ) -> None:
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


async def test_one_address_has_no_trace_of_what_several_need(pool: BackendPool) -> None:
    caller, called = Caller(), Counter[str]()

    def count(frame: FrameType, event: str, _: object) -> None:
        called[frame.f_code.co_filename.rpartition("/")[2]] += event == "call"

    attempt = Attempt(pool, caller)
    sys.setprofile(count)
    attempt.start()
    sys.setprofile(None)
    assert caller.heard == ["connected"]
    assert "race.py" not in called
    assert "address_order.py" not in called
    assert (called["dial.py"], called["backend.py"]) == (5, 1)
    assert pool.reactor.timers._slots == {}


def with_addresses(pool: BackendPool, *addresses: SocketAddress) -> Backend:
    """Let the backend's name stand for these."""
    backend = pool.backends[0]
    resolved = Resolved(backend.resolved.address, "name", addresses)
    backend.update(Member(backend.settings, resolved, 1, 0))
    return backend


async def connect(pool: BackendPool) -> list[str]:
    caller = start(pool)
    while not caller.heard or caller.heard[-1] == "connect_overtaken":  # noqa: ASYNC110
        await trio.sleep(0.002)
    pool.give_back(pool.backends[0])
    return caller.heard


@pytest.mark.parametrize("next_address_s", [0.02, 0.0])
async def test_an_address_that_is_mute_holds_up_one_connection(
    pool: BackendPool, next_address_s: float
) -> None:
    pool.next_address_s = next_address_s
    pool.connect_timeout_s = 60.0 if next_address_s else 0.1
    good = pool.backends[0].sockets[0]
    with full_tcp_backlog() as (address, _):
        with_addresses(pool, tcp(address.port, "mute"), good)
        async with running_reactor() as reactor:
            pool.reactor, whole = reactor, pool.reactor
            why = "connect_overtaken" if next_address_s else "connect_timeout"
            assert await connect(pool) == [why, "connected"]
            assert [await connect(pool) for _ in range(20)] == [["connected"]] * 20
            pool.reactor = whole


async def test_an_address_that_refuses_is_asked_once(pool: BackendPool) -> None:
    good = pool.backends[0].sockets[0]
    with_addresses(pool, REFUSING, good)
    heard = [await connect(pool) for _ in range(20)]
    assert heard == [["backend_refused", "connected"]] + [["connected"]] * 19
    with_addresses(pool, REFUSING, good, REFUSING)  # looked up again
    assert await connect(pool) == ["connected"]
    with_addresses(pool, good)
    assert pool.backends[0].addresses is None


async def test_an_address_that_is_back_is_as_good_as_any(pool: BackendPool) -> None:
    good = pool.backends[0].sockets[0]
    backend = with_addresses(pool, good, replace(good, name="the same"))
    assert backend.addresses is not None
    backend.addresses.failed(good, 0.0)
    assert [await connect(pool) for _ in range(2)] == [["connected"]] * 2
    assert backend.addresses._troubles == {}


async def test_what_this_machine_lacks_is_held_against_no_address(
    pool: BackendPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = pool.backends[0].sockets[0]
    backend = with_addresses(pool, good, replace(good, name="the same"))
    monkeypatch.setattr(syscalls, "connect", AnswerAt(syscalls.connect, 1, errno.EADDRNOTAVAIL))
    assert await connect(pool) == ["no_local_port", "connected"]
    assert backend.addresses is not None
    assert backend.addresses._troubles == {}


async def test_each_address_gets_its_share(pool: BackendPool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        sockets = (pool.backends[0].sockets[0], tcp(other.getsockname()[1], "other"))
        with_addresses(pool, *sockets)
        whom = Counter[str]()

        class Counting(Caller):
            def connected(self, sock: Socket, target: SocketAddress, backend: Backend) -> None:
                super().connected(sock, target, backend)
                whom[target.name] += 1
                pool.give_back(backend)

        for _ in range(10):
            Attempt(pool, Counting()).start()
    assert set(whom.values()) == {5}
