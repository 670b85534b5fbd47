"""System calls of a tap that fail: the traffic is right, and the mirror's loss is counted."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import trio

from spliceproxy.kernel import syscalls
from tests.faults import ENDLESS, FailAt
from tests.mirroring.mirrored import mirrored
from tests.mirroring.records import gaps_of
from tests.proxy.judge import exchange
from tests.proxy.payload import assert_same, random_bytes
from tests.proxy.relay import both_modes
from tests.sinks.gaps import assert_equal_outside_of_gaps
from tests.sinks.places import FilePlace, make_place

DATA = random_bytes(1_000_000)
ERRORS = [errno.EAGAIN, errno.ENOSYS, errno.EPERM, errno.ENOMEM, errno.EINVAL]


class ShortAt:
    """Asks for a third of the bytes at the nth call, and from then on."""

    def __init__(self, real: Any, number: int) -> None:
        self._real = real
        self._number = number
        self.calls = 0

    def __call__(self, source_fd: int, destination_fd: int, count: int) -> int:
        self.calls += 1
        if self.calls >= self._number:
            count = max(1, count // 3)
        return int(self._real(source_fd, destination_fd, count))


def faults() -> list[Any]:
    failing = [
        pytest.param(lambda real, e=error, t=times: FailAt(real, 3, e, times=t))
        for error in ERRORS
        for times in (1, ENDLESS)
    ]
    return [*failing, lambda real: ShortAt(real, 1), lambda real: ShortAt(real, 4)]


@pytest.mark.parametrize("fault", faults())
@pytest.mark.parametrize("overflow", ["detach", "gap"])
async def test_tee(
    fault: Any, overflow: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = FilePlace(tmp_path)
    with trio.fail_after(30):
        text = f"{place.text}?direction=request&overflow={overflow}"
        async with mirrored(text, "null:") as proxied:
            connection = await proxied.connect()
            monkeypatch.setattr(syscalls, "tee", fault(syscalls.tee))
            request, response = await exchange(connection, DATA, DATA, seed=1, largest=100_000)
            line = await proxied.line()
            monkeypatch.undo()
    assert_same(request.received, DATA)
    assert_same(response.received, DATA)
    assert line["reason"] == "closed"
    account = line["mirrors"][0]
    assert account["offered_bytes"] == len(DATA)
    gaps = gaps_of(tmp_path)["request"]
    assert sum(gap.length for gap in gaps) == account["dropped_bytes"]
    assert_equal_outside_of_gaps(place.stream(), DATA, gaps)


async def test_without_tee_there_is_no_traffic_where_a_mirror_is_a_must(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with trio.fail_after(30):
        async with mirrored(f"file:{tmp_path}?overflow=block") as proxied:
            fault = FailAt(syscalls.tee, 1, errno.EPERM, times=ENDLESS)
            monkeypatch.setattr(syscalls, "tee", fault)
            connection = await proxied.connect()
            await connection.client.send(DATA[:300_000])  # what is small is never spliced
            assert (await connection.client.receive_rest())[1] == "reset"
            assert (await proxied.line())["reason"] == "mirror_failed"
            monkeypatch.undo()


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
async def test_without_pipes_copies_are_read(
    error: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = FilePlace(tmp_path)
    with trio.fail_after(30):
        async with mirrored(place.text) as proxied:
            fault = FailAt(syscalls.make_pipe, 1, error, times=ENDLESS)
            monkeypatch.setattr(syscalls, "make_pipe", fault)
            connection = await proxied.connect()
            request, _ = await exchange(connection, DATA, b"", seed=1, largest=200_000)
            account = await proxied.account(direction="request")
            monkeypatch.undo()
    assert_same(request.received, DATA)
    assert_same(place.stream(), DATA)
    assert account["state"] == "complete"


@pytest.mark.parametrize("failing", range(1, 8))
async def test_pipes_that_cannot_grow_at_first(
    failing: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for a user whose quota is used up by somebody else, for a while."""
    place = FilePlace(tmp_path)
    fault = FailAt(syscalls.set_pipe_capacity, 1, errno.EPERM, times=failing)
    monkeypatch.setattr(syscalls, "set_pipe_capacity", fault)
    with trio.fail_after(30):
        async with mirrored(place.text) as proxied:
            connection = await proxied.connect()
            await connection.client.send(DATA)
            assert_same(await connection.backend.receive_exactly(len(DATA)), DATA)
            for number in range(2000):  # many small segments hold many slots
                await connection.client.send(b"%9d" % number)
            connection.client.finish()
            await connection.backend.receive_rest()
            connection.backend.finish()
            account = await proxied.account(direction="request")
    assert account["state"] == "complete"
    assert place.stream() == DATA + b"".join(b"%9d" % number for number in range(2000))


@pytest.mark.parametrize("error", [errno.EINTR, errno.EAGAIN, errno.ENOMEM])
@pytest.mark.parametrize("kind", ["tcp", "exec"])
async def test_writes_of_copies_in_memory_that_fail(
    kind: Any, error: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mirror that says "not now" gets the rest later; any other failure ends it, counted."""
    place = make_place(kind, tmp_path)
    messages = [b"%9d" % number for number in range(100)]
    with trio.fail_after(30):
        async with place.open(), mirrored(f"{place.text}?direction=request") as proxied:
            connection = await proxied.connect()
            monkeypatch.setattr(syscalls, "write", FailAt(syscalls.write, 3, error))
            for message in messages:
                await connection.client.send(message)
                assert await connection.backend.receive_exactly(9) == message
            connection.client.finish()
            connection.backend.finish()
            account = await proxied.account()
            received = await place.received()
            monkeypatch.undo()
    assert account["offered_bytes"] == 900
    assert account["delivered_bytes"] + account["dropped_bytes"] == 900
    assert account["state"] == ("complete" if error == errno.EAGAIN else "incomplete")
    assert received == b"".join(messages)[: account["delivered_bytes"]]


class FailsTowards:
    """A splice that fails where it leads to a certain kind of descriptor."""

    def __init__(self, real: Any, where: str, error: int) -> None:
        self._real = real
        self._where = where
        self._error = error

    def __call__(self, source: int, destination: int, *arguments: Any) -> Any:
        if self._where in str(Path(f"/proc/self/fd/{destination}").readlink()):
            raise OSError(self._error, os.strerror(self._error))
        return self._real(source, destination, *arguments)


@both_modes
@pytest.mark.parametrize("error", [errno.EIO, errno.EINVAL, errno.ENOMEM, errno.ENOSPC])
@pytest.mark.parametrize("kind", ["file", "null"])
async def test_a_sink_that_cannot_be_spliced_into(
    kind: Any, error: int, splice: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = make_place(kind, tmp_path)
    where = "/dev/null" if kind == "null" else str(tmp_path)
    with trio.fail_after(30):
        async with mirrored(place.text, splice=splice) as proxied:
            fault = FailsTowards(syscalls.splice, where, error)
            monkeypatch.setattr(syscalls, "splice", fault)
            connection = await proxied.connect()
            request, response = await exchange(connection, DATA, DATA, seed=1, largest=200_000)
            line = await proxied.line()
            monkeypatch.undo()
    assert_same(request.received, DATA)
    assert_same(response.received, DATA)
    assert line["reason"] == "closed"
    if splice:
        assert {account["state"] for account in line["mirrors"]} == {"incomplete"}
