"""How the two directions of a link end, alone and together."""

import errno
import socket

import pytest
import trio
import trio.lowlevel

from spliceproxy.kernel import syscalls
from tests.faults import CrashAt, FailAt
from tests.loop.watching import eventually
from tests.pump.linking import Linked, linked, receive
from tests.streams import fill_up, reset

both_modes = pytest.mark.parametrize("splice", [True, False], ids=["splice", "copy"])


@both_modes
async def test_both_directions_are_counted_apart(splice: bool) -> None:
    async with linked(splice=splice) as it:
        it.client.send(b"question")
        assert await receive(it.backend, 8) == b"question"
        it.backend.send(b"the answer")
        assert await receive(it.client, 10) == b"the answer"
        for flow, size in ((it.link.request, 8), (it.link.response, 10)):
            assert flow.spliced_bytes == (size if splice else 0)
            assert flow.copied_bytes == (0 if splice else size)
            assert flow.undelivered_bytes == flow.pending_bytes == 0


@both_modes
async def test_it_ends_when_both_directions_have_ended(splice: bool) -> None:
    async with linked(splice=splice) as it:
        it.client.shutdown(socket.SHUT_WR)
        assert await receive(it.backend, 1) == b""
        await trio.sleep(0.02)
        assert it.owner.ended == []
        assert it.link.request.done
        assert not it.link.response.done
        it.backend.shutdown(socket.SHUT_WR)
        assert await it.reason() == "closed"
        assert it.link.failed is None


@both_modes
async def test_the_peer_that_failed_is_known(splice: bool) -> None:
    async with linked(splice=splice) as it:
        near_client, _ = it.near
        reset(it.client)
        assert await it.reason() == "client_reset"
        assert it.link.failed is not None
        assert it.link.failed.sock is near_client


@both_modes
async def test_closing_counts_what_is_lost_and_is_done_once(splice: bool) -> None:
    async with linked(splice=splice) as it:
        await fill_until_paused(it)
        pending = it.link.request.pending_bytes
        it.link.close("drain_deadline")
        it.link.close("again")
        assert it.owner.ended == ["drain_deadline"]
        assert it.link.failed is None
        assert it.link.request.undelivered_bytes == pending > 0


async def fill_until_paused(it: Linked) -> None:
    while not it.link.request.paused:
        fill_up(it.client)
        await trio.lowlevel.checkpoint()


@both_modes
async def test_a_destination_that_fails_still_has_its_say(splice: bool) -> None:
    """Writing to the backend fails; what the backend had sent before is handed on first."""
    call = "splice" if splice else "send"
    async with linked(splice=splice) as it:
        with pytest.MonkeyPatch.context() as patch:
            # The second of the two splices: the one into the socket.
            number = 2 if splice else 1
            patch.setattr(syscalls, call, FailAt(getattr(syscalls, call), number, errno.EPIPE))
            it.client.send(b"question")
            await eventually(lambda: it.link.request.done)
        assert it.owner.ended == []
        assert it.link.request.undelivered_bytes == 8
        it.backend.send(b"I have left")
        assert await receive(it.client, 11) == b"I have left"
        it.backend.shutdown(socket.SHUT_WR)
        assert await it.reason() == "backend_reset"


@both_modes
@pytest.mark.parametrize("number", [1, 2])
async def test_a_crash_ends_it_and_is_told(splice: bool, number: int) -> None:
    call = "splice" if splice else ("receive" if number == 1 else "send")
    async with linked(splice=splice) as it:
        with pytest.MonkeyPatch.context() as patch:
            at = number if splice else 1
            patch.setattr(syscalls, call, CrashAt(getattr(syscalls, call), at))
            it.client.send(b"question")
            assert await it.reason() == "internal_error"
        assert [str(error) for error in it.owner.crashes] == ["a fault that nobody foresaw"]
        assert it.link.failed is None


@both_modes
async def test_silence_ends_it(splice: bool) -> None:
    async with linked(splice=splice, idle_timeout_s=0.1) as it:
        assert await it.reason() == "idle_timeout"


async def test_a_refusal_is_told_once_for_each_direction() -> None:
    async with linked() as it:
        with pytest.MonkeyPatch.context() as patch:
            refuse = FailAt(syscalls.splice, 1, errno.ENOSYS, times=1000)
            patch.setattr(syscalls, "splice", refuse)
            for _ in range(3):
                it.client.send(b"question")
                assert await receive(it.backend, 8) == b"question"
                it.backend.send(b"answer")
                assert await receive(it.client, 6) == b"answer"
        assert [error.errno for error in it.owner.refusals] == [errno.ENOSYS] * 2
        assert (it.link.request.copied_bytes, it.link.response.copied_bytes) == (24, 18)


async def test_a_refusal_in_the_middle_keeps_what_is_in_the_pipe() -> None:
    async with linked() as it:
        it.client.send(b"spliced, ")
        assert await receive(it.backend, 9) == b"spliced, "
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(syscalls, "splice", FailAt(syscalls.splice, 2, errno.EINVAL))
            it.client.send(b"then copied")
            assert await receive(it.backend, 11) == b"then copied"
        request = it.link.request
        assert (request.spliced_bytes, request.copied_bytes) == (9, 11)
        assert it.pool.statistics().in_use == 0


async def test_a_pipe_is_held_only_while_bytes_wait_in_it() -> None:
    async with linked() as it:
        it.client.send(b"question")
        assert await receive(it.backend, 8) == b"question"
        assert it.pool.statistics().in_use == 0
        await fill_until_paused(it)
        assert it.pool.statistics().in_use == 1
        it.link.close("stopped")
        assert it.pool.statistics().in_use == 0
