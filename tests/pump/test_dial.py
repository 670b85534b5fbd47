"""Connecting to the first address that answers, each within its time."""

import errno
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trio

from spliceproxy.kernel import syscalls
from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.kernel.sockets import Socket
from spliceproxy.pump.dial import Dial
from spliceproxy.pump.reactor import Reactor
from tests.backlog import full_tcp_backlog, full_unix_backlog
from tests.faults import AnswerAt, Counted, CrashAt, FailAt
from tests.pump.watching import eventually, running_reactor


class Caller:
    """Keeps what comes of its dial."""

    def __init__(self) -> None:
        self.reached: list[tuple[Socket, str]] = []
        self.attempts: list[tuple[str, str]] = []
        self.failed: list[str] = []
        self.crashes: list[Exception] = []

    def connected(self, sock: Socket, target: SocketAddress) -> None:
        self.reached.append((sock, target.name))
        sock.close()

    def attempt_failed(self, target: SocketAddress, why: str) -> None:
        self.attempts.append((target.name, why))

    def dial_failed(self, why: str) -> None:
        self.failed.append(why)

    def dial_crashed(self, error: Exception) -> None:
        self.crashes.append(error)


class Dialling:
    """A reactor to dial in, and the caller."""

    def __init__(self, reactor: Reactor) -> None:
        self.reactor = reactor
        self.caller = Caller()

    def dial(self, *targets: SocketAddress, timeout_s: float = 5.0) -> Dial:
        made = Dial(self.reactor, self.caller, iter(targets), timeout_s, 0.0)
        made.start()
        return made

    async def reached(self) -> str:
        await eventually(lambda: bool(self.caller.reached))
        return self.caller.reached[0][1]

    async def failed(self) -> str:
        await eventually(lambda: bool(self.caller.failed))
        assert self.caller.reached == []
        return self.caller.failed[0]


@pytest.fixture
async def dialling() -> AsyncIterator[Dialling]:
    async with running_reactor() as reactor:
        yield Dialling(reactor)
        assert reactor._watchers == {}


@pytest.fixture
def good() -> Iterator[SocketAddress]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield tcp(listener.getsockname()[1], "good")


def tcp(port: int, name: str) -> SocketAddress:
    return SocketAddress(socket.AF_INET, ("127.0.0.1", port), name)


def unix(path: str, name: str) -> SocketAddress:
    return SocketAddress(socket.AF_UNIX, path, name)


REFUSING = tcp(1, "refusing")


async def test_an_address_that_answers(dialling: Dialling, good: SocketAddress) -> None:
    dialling.dial(good)
    assert await dialling.reached() == "good"
    assert dialling.caller.attempts == []


async def test_without_an_address(dialling: Dialling) -> None:
    dialling.dial()
    assert await dialling.failed() == "no_backend_address"


async def test_addresses_are_tried_in_turn(
    dialling: Dialling, good: SocketAddress, tmp_path: Path
) -> None:
    absent = unix(str(tmp_path / "absent"), "absent")
    dialling.dial(REFUSING, absent, good, REFUSING)
    assert await dialling.reached() == "good"
    assert dialling.caller.attempts == [
        ("refusing", "backend_refused"),
        ("absent", "backend_absent"),
    ]


async def test_the_last_failure_is_told(dialling: Dialling, tmp_path: Path) -> None:
    dialling.dial(unix(str(tmp_path / "absent"), "absent"), REFUSING)
    assert await dialling.failed() == "backend_refused"


async def test_each_address_has_its_time(dialling: Dialling, good: SocketAddress) -> None:
    with full_tcp_backlog() as (first, _), full_tcp_backlog() as (second, _):
        mute = [tcp(first.port, "first"), tcp(second.port, "second")]
        started_s = trio.current_time()
        dialling.dial(*mute, good, timeout_s=0.1)
        assert await dialling.reached() == "good"
        assert trio.current_time() - started_s >= 0.2
    expected = [("first", "connect_timeout"), ("second", "connect_timeout")]
    assert dialling.caller.attempts == expected


async def test_room_in_a_unix_backlog_is_waited_for(dialling: Dialling) -> None:
    with full_unix_backlog() as (address, listener):
        dialling.dial(unix(address.path, "busy"))
        await trio.sleep(0.05)
        assert dialling.caller.attempts == []
        while not dialling.caller.reached:
            try:
                listener.accept()[0].close()
            except BlockingIOError:
                await trio.sleep(0.01)


async def test_a_unix_backlog_that_stays_full(dialling: Dialling) -> None:
    with full_unix_backlog() as (address, _):
        dialling.dial(unix(address.path, "busy"), timeout_s=0.1)
        assert await dialling.failed() == "connect_timeout"


@pytest.mark.parametrize("wait", ["answer", "backlog"])
async def test_a_cancelled_dial_tells_nothing(dialling: Dialling, wait: str) -> None:
    full = full_tcp_backlog if wait == "answer" else full_unix_backlog
    with full() as (address, _):
        target = (
            unix(address.path, "full") if hasattr(address, "path") else tcp(address.port, "full")
        )
        dial = dialling.dial(target, timeout_s=0.05)
        dial.cancel()
        dial.cancel()
        await trio.sleep(0.1)
    caller = dialling.caller
    assert (caller.reached, caller.attempts, caller.failed) == ([], [], [])


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
async def test_out_of_descriptors_no_other_address_is_tried(
    dialling: Dialling, good: SocketAddress, error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syscalls, "open_socket", FailAt(syscalls.open_socket, 1, error))
    dialling.dial(good, good)
    assert await dialling.failed() in {"no_descriptors", "no_memory"}
    assert len(dialling.caller.attempts) == 1


async def test_a_family_that_this_machine_lacks(
    dialling: Dialling, good: SocketAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = FailAt(syscalls.open_socket, 1, errno.EAFNOSUPPORT)
    monkeypatch.setattr(syscalls, "open_socket", lacking)
    dialling.dial(good, good)
    assert await dialling.reached() == "good"
    assert dialling.caller.attempts == [("good", "backend_eafnosupport")]


async def test_an_answer_that_comes_later(
    dialling: Dialling, good: SocketAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a slow network: the first two looks say that it is under way."""
    slow = AnswerAt(syscalls.connect, 2, errno.EALREADY, times=2)
    monkeypatch.setattr(syscalls, "connect", slow)
    dialling.dial(good)
    assert await dialling.reached() == "good"
    assert slow.calls == 4


async def test_a_refusal_that_comes_later(
    dialling: Dialling, good: SocketAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = syscalls.connect
    slow = AnswerAt(AnswerAt(real, 3, errno.ECONNREFUSED), 2, errno.EALREADY)
    monkeypatch.setattr(syscalls, "connect", slow)
    dialling.dial(good, good)
    assert await dialling.reached() == "good"
    assert len(dialling.caller.attempts) <= 1


@pytest.mark.parametrize("number", [1, 3])
async def test_a_crash_is_told(
    dialling: Dialling, good: SocketAddress, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way = AnswerAt(syscalls.connect, 2, errno.EALREADY)
    monkeypatch.setattr(syscalls, "connect", CrashAt(under_way, number))
    if number == 1:  # in the call that starts it: the caller meets it itself
        dial = Dial(dialling.reactor, dialling.caller, iter([good]), 5.0, 0.0)
        with pytest.raises(RuntimeError):
            dial.start()
        dial.cancel()
    else:
        dialling.dial(good)
        await eventually(lambda: len(dialling.caller.crashes) == 1)


async def test_a_fast_answer_needs_two_calls(
    dialling: Dialling, good: SocketAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Counted(syscalls.connect)
    monkeypatch.setattr(syscalls, "connect", calls)
    dialling.dial(good)
    assert dialling.caller.reached
    assert calls.calls == 2
