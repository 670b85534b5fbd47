"""Connecting to the first address that answers, each within its time."""

from pathlib import Path

import pytest
import trio

from spliceproxy.kernel.addresses import SocketAddress
from tests.backlog import full_tcp_backlog, full_unix_backlog
from tests.loop.dialling import REFUSING, Dialling, tcp, unix


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
