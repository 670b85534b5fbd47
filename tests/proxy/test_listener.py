"""A listener's states: accepting, held, paused, both, closed; and the ways from one to another."""

import errno
import select
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager

import pytest
import trio
from structlog.testing import capture_logs
from structlog.typing import EventDict

from spliceproxy import reasons
from spliceproxy.kernel import syscalls
from spliceproxy.kernel.sockets import Socket
from spliceproxy.loop.line_sums import LineSums
from spliceproxy.loop.reactor import Reactor
from spliceproxy.loop.timers import TimerWheel
from spliceproxy.proxy import listener as listener_module
from spliceproxy.proxy.listener import Listener
from tests.faults import ENDLESS, CrashAt, FailAt
from tests.loop.watching import eventually, running_reactor
from tests.proxy.bookkeeping import epoll_interest

NEVER_S = 60.0

both_kinds = pytest.mark.parametrize("shared", [False, True], ids=["alone", "shared"])


class Listening:
    """A listener, its clients, and what it has accepted."""

    def __init__(self, reactor: Reactor, log: list[EventDict], *, shared: bool) -> None:
        self.reactor = reactor
        self.log = log
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.sock.setblocking(False)
        self.accepted: list[Socket] = []
        self.clients: list[socket.socket] = []
        self.then: Callable[[], None] = lambda: None
        self.sums = LineSums(TimerWheel())  # its deadlines are none of the listener's
        self.listener = Listener(reactor, self.sock, self._take, self.sums, shared=shared)

    def _take(self, _listener: Listener, sock: Socket, _address: object) -> None:
        self.accepted.append(sock)
        self.then()

    def connect(self, count: int = 1) -> None:
        for _ in range(count):
            self.clients.append(socket.create_connection(self.sock.getsockname()))

    async def has_accepted(self, count: int) -> None:
        await eventually(lambda: len(self.accepted) >= count)
        assert len(self.accepted) == count

    async def stays_at(self, count: int) -> None:
        await trio.sleep(0.02)
        assert len(self.accepted) == count

    def state(self) -> str:
        """Its state, which the kernel's and the wheel's must bear out."""
        one = self.listener
        row = one._held, one._pause is not None, one._watched
        kernel_watches = self.sock.fileno() in epoll_interest(self.reactor)
        assert kernel_watches == one._watched
        timers = sum(map(len, self.reactor.timers._slots.values()))
        assert timers == (one._pause is not None)
        return {
            (False, False, True): "accepting",
            (True, False, False): "closed" if self.sock.fileno() < 0 else "held",
            (False, True, False): "paused",
            (True, True, False): "held and paused",
        }[row]

    def end_pause(self) -> None:
        """What the reactor does when the time has come."""
        pause = self.listener._pause
        assert pause is not None
        pause.cancel()
        self.listener.on_deadline()

    def events(self) -> list[str]:
        return [line["event"] for line in self.log]

    def close(self) -> None:
        for sock in (*self.accepted, *self.clients, self.sock):
            sock.close()


@asynccontextmanager
async def listening(*, shared: bool = False) -> AsyncIterator[Listening]:
    with capture_logs() as log:
        async with running_reactor() as reactor:
            with closing(Listening(reactor, log, shared=shared)) as it:
                yield it


@contextmanager
def failing_accept(error: int, *, times: int = ENDLESS) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(syscalls, "accept", FailAt(syscalls.accept, 1, error, times=times))
        yield


@contextmanager
def pauses_of(pause_s: float) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listener_module, "_PAUSE_S", pause_s)
        yield


@both_kinds
async def test_held_until_it_is_let_in_and_held_again(shared: bool) -> None:
    async with listening(shared=shared) as it:
        assert it.state() == "held"
        it.connect(3)
        await it.stays_at(0)
        for _ in range(2):  # saying it twice changes nothing
            it.listener.update(held=False)
            assert it.state() == "accepting"
        await it.has_accepted(3)
        for _ in range(2):
            it.listener.update(held=True)
            assert it.state() == "held"
        it.connect()
        await it.stays_at(3)
        it.listener.update(held=False)
        await it.has_accepted(4)


@both_kinds
async def test_held_by_the_client_that_was_one_too_many(shared: bool) -> None:
    """What is called in the middle of a batch takes effect in it."""
    async with listening(shared=shared) as it:
        it.then = lambda: it.listener.update(held=True)
        it.connect(3)
        it.listener.update(held=False)
        await it.has_accepted(1)
        await it.stays_at(1)
        assert it.state() == "held"


@both_kinds
async def test_an_exhaustion_pauses_and_a_client_ends_the_story(shared: bool) -> None:
    async with listening(shared=shared) as it:
        with pauses_of(0.02), failing_accept(errno.EMFILE, times=3):
            it.listener.update(held=False)
            it.connect()
            await eventually(lambda: it.state() == "paused")
            await it.has_accepted(1)
        assert it.state() == "accepting"
        assert it.events() == ["accept_paused", "accept_resumed"]


async def test_paused_and_held_are_left_one_by_one() -> None:
    async with listening() as it:
        with pauses_of(NEVER_S), failing_accept(errno.EMFILE):
            it.listener.update(held=False)
            it.connect()
            await eventually(lambda: it.state() == "paused")
        it.listener.update(held=True)
        assert it.state() == "held and paused"
        it.listener.update(held=False)
        assert it.state() == "paused"
        it.listener.update(held=True)
        it.end_pause()
        assert it.state() == "held"
        await it.stays_at(0)
        it.listener.update(held=False)
        await it.has_accepted(1)
        assert it.events() == ["accept_paused", "accept_resumed"]


@both_kinds
async def test_looking_again_respects_a_pause_and_a_hold(shared: bool) -> None:
    async with listening(shared=shared) as it:
        it.connect()
        it.listener.look_again()
        assert it.accepted == []
        with pauses_of(NEVER_S), failing_accept(errno.ENOMEM):
            it.listener.update(held=False)
            await eventually(lambda: it.state() == "paused")
        it.listener.look_again()
        assert it.accepted == []
        assert it.state() == "paused"


async def test_looking_again_at_what_waits() -> None:
    async with listening() as it:
        it.listener.update(held=False)
        it.connect()
        it.listener.look_again()  # before the reactor has had its turn
        assert len(it.accepted) == 1
        with pauses_of(NEVER_S), failing_accept(errno.EIO):
            it.listener.look_again()
        assert it.state() == "paused"
        assert it.events() == ["accept_failed"]


async def test_a_crash_is_told_and_pauses_once() -> None:
    async with listening() as it:
        with pauses_of(NEVER_S):
            it.listener.update(held=False)
            it.listener.on_crash(RuntimeError("once"))
            it.listener.on_crash(RuntimeError("twice"))
            assert it.state() == "paused"
            it.sums.flush()
            assert it.events() == ["accept_failed"] * 2


@both_kinds
@pytest.mark.parametrize("before", ["accepting", "held", "paused", "held and paused"])
async def test_closing_takes_the_backlog_from_any_state(before: str, shared: bool) -> None:
    async with listening(shared=shared) as it:
        if "paused" in before:
            with pauses_of(NEVER_S), failing_accept(errno.ENFILE):
                it.listener.update(held=False)
                it.connect()
                await eventually(lambda: it.state() == "paused")
        if before != "paused":
            it.listener.update(held="held" in before)
        assert it.state() == before
        it.connect(3 - len(it.clients))
        it.listener.close(take_at_most=10)
        assert it.state() == "closed"
        assert len(it.accepted) == 3


async def test_closing_takes_no_more_than_there_are_places_for() -> None:
    async with listening() as it:
        it.connect(3)
        it.listener.close(take_at_most=2)
        assert len(it.accepted) == 2
        assert it.state() == "closed"


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("error", [errno.EMFILE, errno.EIO, None], ids=["EMFILE", "EIO", "bug"])
async def test_closing_is_done_though_accept_fails(error: int | None, held: bool) -> None:
    async with listening() as it:
        it.listener.update(held=held)
        it.connect()
        with pytest.MonkeyPatch.context() as patch:
            fault = CrashAt(syscalls.accept, 1) if error is None else None
            fails = fault or FailAt(syscalls.accept, 1, error or 0, times=ENDLESS)
            patch.setattr(syscalls, "accept", fails)
            it.listener.close(take_at_most=2)
        assert it.state() == "closed"
        assert it.events() == ["accept_paused" if error == errno.EMFILE else "accept_failed"]


async def test_a_drained_listener_is_heard_of_no_more() -> None:
    """It leaves the epoll set before its number may be given out again."""
    async with listening() as it:
        it.listener.update(held=False)
        number = it.sock.fileno()
        it.listener.close(take_at_most=0)
        with socket.create_server(("127.0.0.1", 0)) as other:
            assert other.fileno() == number
            it.clients.append(socket.create_connection(other.getsockname()))
            await it.stays_at(0)
            assert epoll_interest(it.reactor) == {}
            assert select.select([other], [], [], 0)[0] == [other]


def test_every_exhaustion_has_a_remedy() -> None:
    names = {errno.errorcode[number] for number in reasons.EXHAUSTION_ERRNOS}
    assert set(listener_module._REMEDIES) == names
