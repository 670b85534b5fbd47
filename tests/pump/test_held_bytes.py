"""Bytes that have to pass through the process on their way into a pipe, or out of one.

Where the call for it fails or falls short, they arrive, or the link ends so that both peers see it
and the bytes are counted.
"""

import errno
import socket
from collections.abc import Callable
from typing import Any

import pytest

from spliceproxy.kernel import syscalls
from tests.faults import AnswerAt, FailAt
from tests.loop.watching import eventually
from tests.pump.linking import Linked, linked, receive

ERRORS = [errno.EINTR, errno.EAGAIN, errno.ENOMEM]
NAMES = {errno.EINTR: "client_eintr", errno.EAGAIN: "client_eagain", errno.ENOMEM: "no_memory"}

MESSAGE = b"then copied"


class ShortReads:
    """Reads one byte at a time, and fails at the nth call."""

    def __init__(self, real: Callable[[int, int], bytes], fails_at: int, error: int) -> None:
        self._real = real
        self._fails_at = fails_at
        self._error = error
        self.calls = 0

    def __call__(self, fd: int, count: int) -> bytes:
        self.calls += 1
        if self.calls == self._fails_at:
            raise OSError(self._error, "as the test wants it")
        return self._real(fd, 1)


async def refuse_in_the_middle(it: Linked, read: Any) -> None:
    """Splice MESSAGE into a pipe; then splice is refused, and it has to be read back."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(syscalls, "splice", FailAt(syscalls.splice, 2, errno.EINVAL))
        patch.setattr(syscalls, "read", read)
        it.client.send(MESSAGE)
        await eventually(lambda: bool(it.owner.refusals or it.owner.ended))


async def assert_ends_with_a_loss(it: Linked, why: str, lost: int) -> None:
    assert await it.reason() == why
    request = it.link.request
    assert (request.undelivered_bytes, request.pending_bytes) == (lost, 0)
    assert it.pool.statistics().in_use == 0
    assert it.link.failed is it.link.client
    assert it.owner.crashes == []


async def test_reading_back_falls_short() -> None:
    async with linked() as it:
        read = ShortReads(syscalls.read, 0, 0)
        await refuse_in_the_middle(it, read)
        assert await receive(it.backend, len(MESSAGE)) == MESSAGE
        assert read.calls == len(MESSAGE)
        assert it.link.request.copied_bytes == len(MESSAGE)
        assert it.pool.statistics().in_use == 0


@pytest.mark.parametrize("call", [1, 4])
@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
async def test_reading_back_fails(error: int, call: int) -> None:
    async with linked() as it:
        await refuse_in_the_middle(it, ShortReads(syscalls.read, call, error))
        await assert_ends_with_a_loss(it, NAMES[error], len(MESSAGE))
        assert it.owner.refusals == []


async def test_a_pipe_that_says_it_is_empty() -> None:
    async with linked() as it:
        await refuse_in_the_middle(it, AnswerAt(syscalls.read, 1, b""))
        await assert_ends_with_a_loss(it, "client_eio", len(MESSAGE))


async def send_behind_an_urgent_mark(it: Linked, write: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(syscalls, "write", write)
        it.client.send(b"before")
        assert await receive(it.backend, 6) == b"before"
        it.client.send(b"!", socket.MSG_OOB)
        it.client.send(b"after")
        await eventually(lambda: write.calls > 0)


@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
async def test_the_byte_behind_an_urgent_mark_fails(error: int) -> None:
    async with linked() as it:
        await send_behind_an_urgent_mark(it, FailAt(syscalls.write, 1, error))
        await assert_ends_with_a_loss(it, NAMES[error], 1)
        assert it.link.request.spliced_bytes == 6


async def test_the_byte_behind_an_urgent_mark_falls_short() -> None:
    """Of one byte a short write leaves nothing in the pipe; it must not pass for an empty fill."""
    async with linked() as it:
        await send_behind_an_urgent_mark(it, AnswerAt(syscalls.write, 1, 0))
        await assert_ends_with_a_loss(it, "client_eio", 1)
