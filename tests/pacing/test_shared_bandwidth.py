"""Who shares a bandwidth, and in which order."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio

from spliceproxy.loop.reactor import Reactor
from spliceproxy.pacing.shared_bandwidth import SharedBandwidth
from tests.loop.watching import eventually, running_reactor
from tests.meters import OwnMeter, own_bandwidth

BYTES_PER_S = 1_000_000
BURST_BYTES = BYTES_PER_S // 10


class Reader:
    """Asks again whenever it has got something, until it has been told to stop."""

    def __init__(self, shared: SharedBandwidth, wants: int = 1 << 20) -> None:
        self.shared = shared
        self.wants = wants
        self.got = 0
        self.crashes: list[Exception] = []
        self.stops = False

    def ask(self) -> None:
        while not self.stops:
            given = self.shared.ask(self, self.wants)
            self.got += given
            if not given:
                break

    def go_on(self, set_aside_bytes: int) -> None:
        self.got += set_aside_bytes
        self.ask()

    def on_crash(self, error: Exception) -> None:
        self.crashes.append(error)


class Once(Reader):
    """Takes what it gets, and asks no more."""

    def go_on(self, set_aside_bytes: int) -> None:
        self.got += set_aside_bytes


@dataclass
class CountOfWorker:
    """How many wait in one worker."""

    others: "list[CountOfWorker]"
    own: int = 0

    def total(self) -> int:
        return self.own + sum(other.own for other in self.others)


@asynccontextmanager
async def frozen_reactor() -> AsyncIterator[Reactor]:
    """One whose clock the test moves; no deadline fires by itself."""
    reactor = Reactor()
    yield reactor
    reactor.close()


async def test_one_alone_gets_all_of_it() -> None:
    async with running_reactor() as reactor:
        shared = own_bandwidth(reactor, BYTES_PER_S)
        reader = Reader(shared)
        reader.ask()
        assert reader.got == BURST_BYTES
        await eventually(lambda: reader.got >= 3 * BURST_BYTES)
        reader.stops = True


async def test_those_who_want_all_get_the_same() -> None:
    async with running_reactor() as reactor:
        shared = own_bandwidth(reactor, BYTES_PER_S)
        readers = [Reader(shared) for _ in range(5)]
        for reader in readers:
            reader.ask()
        assert [reader.got for reader in readers] == [BURST_BYTES, 0, 0, 0, 0]
        await eventually(lambda: readers[-1].got >= BURST_BYTES)
        later = [reader.got - BURST_BYTES * (reader is readers[0]) for reader in readers]
        assert max(later) - min(later) <= BURST_BYTES  # one turn, however late the timer was
        for reader in readers:
            reader.stops = True


async def test_a_turn_has_equal_parts_for_those_who_wait() -> None:
    async with frozen_reactor() as reactor:
        shared = own_bandwidth(reactor, BYTES_PER_S)
        readers = [Once(shared) for _ in range(5)]
        assert [shared.ask(reader, 1 << 20) for reader in readers] == [BURST_BYTES, 0, 0, 0, 0]
        reactor.now_s += 1.0
        shared.on_deadline()
        assert [reader.got for reader in readers[1:]] == [BURST_BYTES // 4] * 4


async def test_whoever_comes_later_waits_behind_the_others() -> None:
    async with frozen_reactor() as reactor:
        shared = own_bandwidth(reactor, BYTES_PER_S)
        first, second, late = (Once(shared) for _ in range(3))
        assert shared.ask(first, BURST_BYTES) == BURST_BYTES
        assert shared.ask(second, BURST_BYTES) == 0
        reactor.now_s += 1.0  # now there is enough for one, and it is the turn of the second
        assert shared.ask(late, BURST_BYTES) == 0
        shared.on_deadline()
        assert (second.got, late.got) == (BURST_BYTES // 2, BURST_BYTES // 2)


async def test_what_is_given_back_is_there_for_others() -> None:
    async with running_reactor() as reactor:
        shared = own_bandwidth(reactor, 10)
        first, second = Reader(shared), Reader(shared, wants=1)
        assert shared.ask(first, 1) == 1
        assert shared.ask(second, 1) == 0
        shared.forget(second)
        shared.give_back(1)
        assert shared.ask(second, 1) == 1


async def test_who_has_left_the_line_gets_nothing() -> None:
    async with running_reactor() as reactor:
        shared = own_bandwidth(reactor, BYTES_PER_S)
        greedy, gone, waiting = Reader(shared), Reader(shared), Reader(shared)
        for reader in (greedy, gone, waiting):
            reader.ask()
        shared.forget(gone)
        await eventually(lambda: waiting.got > 0)
        assert gone.got == 0
        greedy.stops = waiting.stops = True


async def test_one_that_fails_holds_up_nobody() -> None:
    class Broken(Reader):
        def go_on(self, set_aside_bytes: int) -> None:
            raise RuntimeError(os.strerror(5))

    async with running_reactor() as reactor:
        shared = own_bandwidth(reactor, BYTES_PER_S)
        readers = [Reader(shared), Broken(shared), Reader(shared)]
        for reader in readers:
            reader.ask()
        await eventually(lambda: readers[2].got > 0)
        assert len(readers[1].crashes) == 1
        for reader in readers:
            reader.stops = True
        await trio.lowlevel.checkpoint()


async def test_workers_share_by_how_many_wait_in_each() -> None:
    async with frozen_reactor() as reactor:
        meter, counts = OwnMeter(), [CountOfWorker([]), CountOfWorker([])]
        counts[0].others, counts[1].others = [counts[1]], [counts[0]]
        here, there = (SharedBandwidth(reactor, BYTES_PER_S, meter, one) for one in counts)
        one, others = Once(here), [Once(there) for _ in range(3)]
        assert here.ask(one, BURST_BYTES) == BURST_BYTES
        assert [there.ask(other, 1 << 20) for other in others] == [0, 0, 0]
        assert here.ask(one, 1 << 20) == 0
        reactor.now_s += 1.0
        here.on_deadline()
        there.on_deadline()
        assert one.got == BURST_BYTES // 4
        assert [other.got for other in others] == [BURST_BYTES // 4] * 3


async def test_a_worker_with_one_connection_leaves_the_others_their_parts() -> None:
    async with frozen_reactor() as reactor:
        elsewhere = CountOfWorker([], own=4)
        shared = SharedBandwidth(reactor, BYTES_PER_S, OwnMeter(), CountOfWorker([elsewhere]))
        reader = Once(shared)
        assert shared.ask(reader, 1 << 20) == BURST_BYTES // 5
        elsewhere.own = 0
        rest = BURST_BYTES * 4 // 5
        assert rest - 1 <= shared.ask(reader, 1 << 20) <= rest
