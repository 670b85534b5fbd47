"""Connecting to whichever of several addresses answers first."""

import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import trio

from spliceproxy.kernel import syscalls
from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.kernel.sockets import Socket
from spliceproxy.loop.race import MOST_AT_ONCE, Race
from tests.backlog import full_tcp_backlog
from tests.faults import ENDLESS, AnswerAt, Counted, CrashAt, FailAt
from tests.loop.dialling import REFUSING, Dialling, tcp
from tests.loop.watching import eventually

AT_ONCE_S = 0.02
NEVER_S = 1000.0


@contextmanager
def mute(*names: str) -> Iterator[list[SocketAddress]]:
    """Addresses that answer nobody."""
    with ExitStack() as stack:
        yield [tcp(stack.enter_context(full_tcp_backlog())[0].port, name) for name in names]


def race(
    dialling: Dialling, *targets: SocketAddress, after_s: float = AT_ONCE_S, timeout_s: float = 60.0
) -> Race:
    made = Race(dialling.reactor, dialling.caller, targets, timeout_s, 0.0, next_after_s=after_s)
    made.start()
    return made


def timers(dialling: Dialling) -> int:
    return sum(len(slot) for slot in dialling.reactor.timers._slots.values())


async def test_an_address_that_answers_at_once_has_no_rival(
    dialling: Dialling, good: SocketAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Counted(syscalls.open_socket)
    monkeypatch.setattr(syscalls, "open_socket", opened)
    race(dialling, good, REFUSING)
    assert dialling.caller.reached
    assert (opened.calls, timers(dialling)) == (1, 0)


async def test_the_next_address_beside_one_that_is_mute(
    dialling: Dialling, good: SocketAddress
) -> None:
    with mute("mute") as targets:
        started_s = trio.current_time()
        race(dialling, *targets, good)
        assert await dialling.reached() == "good"
        assert trio.current_time() - started_s >= AT_ONCE_S
    assert dialling.caller.attempts == [("mute", "connect_overtaken")]
    assert timers(dialling) == 0


async def test_one_that_fails_is_not_waited_for(dialling: Dialling, good: SocketAddress) -> None:
    with mute("mute") as targets:
        race(dialling, REFUSING, good, *targets, after_s=NEVER_S)
        assert await dialling.reached() == "good"
    assert dialling.caller.attempts == [("refusing", "backend_refused")]


async def test_a_rival_goes_on_to_others(dialling: Dialling, good: SocketAddress) -> None:
    with mute("mute", "other") as (first, second):
        race(dialling, first, REFUSING, second, good)
        assert await dialling.reached() == "good"
    assert dialling.caller.attempts == [
        ("refusing", "backend_refused"),
        ("mute", "connect_overtaken"),
        ("other", "connect_overtaken"),
    ]


async def test_all_in_vain(dialling: Dialling, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"mute {number}" for number in range(MOST_AT_ONCE + 2)]
    with mute(*names) as targets:
        made = race(dialling, *targets, timeout_s=0.3)
        most = 0
        while not dialling.caller.failed:
            most = max(most, len(dialling.reactor._watchers))
            await trio.sleep(0.005)
        assert most == MOST_AT_ONCE
    assert made._lanes == []
    assert dialling.caller.failed == ["connect_timeout"]
    assert dialling.caller.attempts == [(name, "connect_timeout") for name in names]
    assert timers(dialling) == 0


@pytest.mark.parametrize("wait_s", [0.0, 5 * AT_ONCE_S])
async def test_a_cancelled_race_tells_nothing(dialling: Dialling, wait_s: float) -> None:
    with mute("first", "second") as targets:
        made = race(dialling, *targets, timeout_s=0.2)
        await trio.sleep(wait_s)
        made.cancel()
        made.cancel()
        assert (dialling.reactor._watchers, timers(dialling)) == ({}, 0)
        await trio.sleep(0.3)
    caller = dialling.caller
    assert (caller.reached, caller.attempts, caller.failed) == ([], [], [])


class SlowTo:
    """Says that connects to an address are under way, whatever becomes of them."""

    def __init__(self, slow: SocketAddress) -> None:
        self._real = syscalls.connect
        self._slow = slow
        self.holds = True

    def __call__(self, sock: Socket, address: Any) -> int:
        answer = self._real(sock, address)
        return errno.EALREADY if self.holds and address == self._slow.sockaddr else answer


async def test_one_that_was_connected_unnoticed_ends_in_a_fin(
    dialling: Dialling, good: SocketAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        slow = tcp(listener.getsockname()[1], "slow")
        monkeypatch.setattr(syscalls, "connect", SlowTo(slow))
        race(dialling, slow, good)
        assert await dialling.reached() == "good"
        accepted, _ = listener.accept()
        with accepted:
            assert await trio.to_thread.run_sync(accepted.recv, 1) == b""


async def test_one_that_began_later_has_not_been_overtaken(
    dialling: Dialling, good: SocketAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = SlowTo(good)
    monkeypatch.setattr(syscalls, "connect", slow)
    with mute("mute") as targets:
        made = race(dialling, good, *targets)
        await eventually(lambda: len(made._lanes) == 2)
        slow.holds = False
        assert await dialling.reached() == "good"
    assert dialling.caller.attempts == []


async def test_a_lane_that_has_just_gone_on_gets_its_time(dialling: Dialling) -> None:
    with mute("first", "second") as targets:
        made = race(dialling, *targets, after_s=NEVER_S)
        made.on_deadline()
        assert (len(made._lanes), timers(dialling)) == (1, 3)  # the race's old one, too
        made.cancel()


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENOBUFS])
async def test_out_of_descriptors_for_a_rival(
    dialling: Dialling, good: SocketAddress, error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first lane goes on, and takes what the other one could not try."""
    failing = FailAt(syscalls.open_socket, 2, error, times=1)
    monkeypatch.setattr(syscalls, "open_socket", failing)
    with mute("mute") as targets:
        race(dialling, *targets, good)
        assert await dialling.reached() == "good"
    whom = [name for name, _ in dialling.caller.attempts]
    assert whom == ["good", "mute"]


async def test_out_of_descriptors_from_the_start(
    dialling: Dialling, good: SocketAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = FailAt(syscalls.open_socket, 1, errno.EMFILE, times=ENDLESS)
    monkeypatch.setattr(syscalls, "open_socket", failing)
    race(dialling, good, good)
    assert dialling.caller.failed == ["no_descriptors"]
    assert failing.calls == 1


async def test_an_address_that_could_not_be_tried_may_be_a_good_one(
    dialling: Dialling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syscalls, "connect", AnswerAt(syscalls.connect, 1, errno.EADDRNOTAVAIL))
    race(dialling, REFUSING, REFUSING)
    assert await dialling.failed() == "no_local_port"


@pytest.mark.parametrize("number", [2, 3])
async def test_a_crash_is_told_once(
    dialling: Dialling, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syscalls, "open_socket", CrashAt(syscalls.open_socket, number))
    with mute("first", "second", "third") as targets:
        race(dialling, *targets)
        await eventually(lambda: bool(dialling.caller.crashes))
        assert (dialling.reactor._watchers, timers(dialling)) == ({}, 0)
        await trio.sleep(5 * AT_ONCE_S)
    assert len(dialling.caller.crashes) == 1
    assert (dialling.caller.reached, dialling.caller.failed) == ([], [])


@pytest.mark.parametrize("deaf", ["connected", "attempt_failed"])
async def test_a_crash_of_who_is_told(
    dialling: Dialling, good: SocketAddress, deaf: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[..., None] = getattr(dialling.caller, deaf)

    def crash(*arguments: object) -> None:
        real(*arguments)
        raise RuntimeError("a fault that nobody foresaw")

    monkeypatch.setattr(dialling.caller, deaf, crash)
    with mute("mute") as targets:
        race(dialling, *targets, good)
        await eventually(lambda: bool(dialling.caller.crashes))
        assert (dialling.reactor._watchers, timers(dialling)) == ({}, 0)
    assert len(dialling.caller.crashes) == 1
