"""Reads and writes of copies that fail or fall short: the traffic is whole, and losses counted."""

import errno
import os
import select
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from spliceproxy.kernel import syscalls
from spliceproxy.kernel.pipes import PipePool
from spliceproxy.pump.splice_flow import SpliceFlow
from spliceproxy.tap.chunk import BytesChunk
from spliceproxy.tap.tap_pipes import TapPipes
from tests.faults import ENDLESS, AnswerAt, FailAt
from tests.pump.linking import Linked, linked
from tests.tap.test_tapping import attach, say, taps

ERRORS = [errno.EINTR, errno.EAGAIN, errno.ENOMEM]
each_error = pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)


class OneByte:
    """Moves one byte at a time, and fails at the nth call if there is one."""

    def __init__(self, real: Callable[[int, Any], Any], fails_at: int = 0, error: int = 0) -> None:
        self._real = real
        self._fails_at = fails_at
        self._error = error
        self.calls = 0

    def __call__(self, fd: int, what: Any) -> Any:
        self.calls += 1
        if self.calls == self._fails_at:
            raise OSError(self._error, os.strerror(self._error))
        return self._real(fd, 1 if isinstance(what, int) else what[:1])


async def say_with(call: str, fault: Any, it: Linked, data: bytes) -> None:
    """Send a message that is copied while a call of the tap misbehaves."""
    assert isinstance(it.link.request, SpliceFlow), "a copy is read from the flow's pipe"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(syscalls, call, fault)
        await say(it, data)


async def test_reading_a_copy_falls_short() -> None:
    with taps() as pipes:
        async with linked() as it:
            _, copies, _ = attach(it, it.link.request, pipes)
            await say_with("read", OneByte(syscalls.read), it, b"question")
            assert (copies.data, copies.missed) == (b"question", 0)


@each_error
@pytest.mark.parametrize("call", [1, 4])
async def test_reading_a_copy_fails(error: int, call: int) -> None:
    """What is left in the pipe that copies are read from must not begin the next copy."""
    with taps() as pipes:
        async with linked() as it:
            _, copies, _ = attach(it, it.link.request, pipes)
            await say_with("read", OneByte(syscalls.read, call, error), it, b"question")
            assert (copies.data, copies.missed) == (b"", 8)
            await say(it, b"another")
            assert (copies.data, copies.missed) == (b"another", 8)


async def test_a_copy_that_is_not_there_to_be_read() -> None:
    with taps() as pipes:
        async with linked() as it:
            _, copies, _ = attach(it, it.link.request, pipes)
            await say_with("read", AnswerAt(syscalls.read, 1, b""), it, b"question")
            await say(it, b"another")
            assert (copies.data, copies.missed) == (b"another", 8)


async def test_no_pipe_to_read_from_for_a_while() -> None:
    with taps() as pipes:
        async with linked() as it:
            _, copies, _ = attach(it, it.link.request, pipes)
            await say_with("read", FailAt(syscalls.read, 1, errno.EIO), it, b"question")
            no_pipe = FailAt(syscalls.make_pipe, 1, errno.EMFILE, times=ENDLESS)
            pipes.pool.close()
            await say_with("make_pipe", no_pipe, it, b"meanwhile")
            assert (copies.data, copies.missed) == (b"", 17)
            await say(it, b"another")
            assert (copies.data, copies.missed) == (b"another", 17)
            assert it.owner.refusals == []


def test_pipes_can_be_closed_while_there_is_none_to_read_from() -> None:
    with closing(PipePool()) as pool:
        pipes, source = TapPipes(pool), pool.borrow()
        source.write_all(b"question")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(syscalls, "read", FailAt(syscalls.read, 1, errno.EIO))
            assert pipes.read(source, 8) == b""
        pipes.close()
        assert source.read_all(8) == b"question"
        pool.discard(source)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe2(os.O_NONBLOCK)
    yield read, write
    os.close(read)
    os.close(write)


def test_writing_a_copy_falls_short(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syscalls, "write", OneByte(syscalls.write))
    chunk = BytesChunk(b"question", offset=100)
    for written in range(1, 9):
        assert chunk.write_to(pipe[1]) == 1
        assert (chunk.size, chunk.offset) == (8 - written, 100 + written)
    assert os.read(pipe[0], 100) == b"question"


@each_error
@pytest.mark.parametrize("call", [1, 4])
def test_writing_a_copy_fails(
    error: int, call: int, pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not written stays, in its place, for whoever tries again or accounts for it."""
    monkeypatch.setattr(syscalls, "write", OneByte(syscalls.write, call, error))
    chunk = BytesChunk(b"question")
    for _ in range(call - 1):
        chunk.write_to(pipe[1])
    with pytest.raises(OSError, match=os.strerror(error)):
        chunk.write_to(pipe[1])
    assert (chunk.size, chunk.offset) == (9 - call, call - 1)
    while chunk.size:
        chunk.write_to(pipe[1])
    assert os.read(pipe[0], 100) == b"question"
    assert not select.select([pipe[0]], [], [], 0)[0]
