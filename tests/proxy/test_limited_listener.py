"""Listeners that ask before they accept, and what other workers have taken meanwhile."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing

import pytest
import trio

from spliceproxy.ipc.rows import CommonKind
from spliceproxy.ipc.shared_count import SharedCount
from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.ipc.worker_slots import WorkerSlots
from spliceproxy.kernel.sockets import Socket
from spliceproxy.loop.line_sums import LineSums
from spliceproxy.loop.reactor import Reactor
from spliceproxy.loop.timers import TimerWheel
from spliceproxy.proxy.limited_listener import LimitedListener
from spliceproxy.proxy.listener import Listener
from spliceproxy.proxy.route_limits import AcceptLimits, Places
from tests.loop.watching import eventually, running_reactor


@pytest.fixture
def slots_of_two() -> Iterator[SharedTable]:
    with closing(SharedTable(100)) as table:
        slots = WorkerSlots(table)
        assert (slots.take(), slots.take()) == (0, 1)
        yield table


class Limited:
    """A worker's listener with two places, of which others may take some, too."""

    def __init__(self, reactor: Reactor, table: SharedTable) -> None:
        def count(slot: int) -> SharedCount:
            return SharedCount(table, slot, CommonKind.COUNT, ("places", "web"))

        self.elsewhere = count(1)
        self.places = Places(count(0), 2)
        self.limits = AcceptLimits(reactor, self.places, None)
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.sock.setblocking(False)
        self.accepted: list[Socket] = []
        self.times_asked = 0
        self.turns_away = False
        self.listener = LimitedListener(
            self, reactor, self.sock, self._take, LineSums(TimerWheel()), shared=True
        )
        self.listener.update(held=False)

    def wait_s(self) -> float:
        self.times_asked += 1
        return self.limits.wait_s()

    def settle(self) -> None:
        self.limits.settle()

    def _take(self, _listener: Listener, sock: Socket, _address: object) -> None:
        if not self.turns_away:
            self.places.take()
        self.accepted.append(sock)

    def leave(self) -> None:
        self.accepted.pop().close()
        self.places.leave()


@asynccontextmanager
async def limited(table: SharedTable) -> AsyncIterator[Limited]:
    async with running_reactor() as reactor:
        it = Limited(reactor, table)
        yield it
        it.listener.close(take_at_most=0)
        for sock in it.accepted:
            sock.close()


def connect(it: Limited) -> socket.socket:
    return socket.create_connection(it.sock.getsockname())


async def test_places_that_others_have_are_taken(slots_of_two: SharedTable) -> None:
    async with limited(slots_of_two) as it:
        it.elsewhere.own = 1
        with connect(it), connect(it):
            await eventually(lambda: len(it.accepted) == 1 and it.times_asked >= 3)
            it.elsewhere.own = 0  # of which nobody is told
            await eventually(lambda: len(it.accepted) == 2)


async def test_who_waits_is_let_in_as_soon_as_somebody_here_has_gone(
    slots_of_two: SharedTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spliceproxy.proxy.route_limits._LOOK_AGAIN_S", 60.0)
    async with limited(slots_of_two) as it:
        it.elsewhere.own = 1
        with connect(it), connect(it):
            await eventually(lambda: it.times_asked >= 2)
            it.leave()
            it.listener.end_pause()
            await eventually(lambda: len(it.accepted) == 1)


async def test_without_clients_nobody_asks(slots_of_two: SharedTable) -> None:
    async with limited(slots_of_two) as it:
        it.elsewhere.own = 2
        await trio.sleep(0.1)
        assert it.times_asked == 0


async def test_who_is_turned_away_leaves_its_place(slots_of_two: SharedTable) -> None:
    async with limited(slots_of_two) as it:
        it.turns_away = True
        with connect(it), connect(it), connect(it):
            await eventually(lambda: len(it.accepted) == 3)
        assert it.places.left == 2


async def test_those_who_keep_the_last_one_at_the_same_moment_stand_back(
    slots_of_two: SharedTable,
) -> None:
    async with limited(slots_of_two) as it:
        it.elsewhere.own = 1

        class Meanwhile(SharedCount):
            def total(self) -> int:
                it.elsewhere.own = 2
                return super().total()

        count = Meanwhile(slots_of_two, 0, CommonKind.COUNT, ("places", "web"))
        assert not Places(count, 2).keep()
        assert (it.elsewhere.own, count.own) == (2, 0)
