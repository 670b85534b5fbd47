"""Connects that fail, or answer late, in ways that this machine does not produce by itself."""

import errno

import pytest

from spliceproxy.kernel import syscalls
from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.loop.dial import Dial
from tests.faults import AnswerAt, Counted, CrashAt, FailAt
from tests.loop.dialling import REFUSING, Dialling
from tests.loop.watching import eventually


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


async def test_an_answer_that_came_while_this_process_was_held_up(
    dialling: Dialling, good: SocketAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deadline is met first, as deadlines and events are different tasks."""
    monkeypatch.setattr(syscalls, "connect", AnswerAt(syscalls.connect, 2, errno.EALREADY))
    dialling.dial(good).on_deadline()
    assert dialling.caller.reached
    assert dialling.caller.attempts == []


@pytest.mark.parametrize("number", [1, 2])
async def test_an_address_that_could_not_be_tried_may_be_a_good_one(
    dialling: Dialling, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = AnswerAt(syscalls.connect, number, errno.EADDRNOTAVAIL)
    monkeypatch.setattr(syscalls, "connect", AnswerAt(full, 2, errno.ECONNREFUSED))
    dialling.dial(REFUSING, REFUSING)
    assert await dialling.failed() == "no_local_port"


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
