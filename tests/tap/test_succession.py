"""At least one test for each row of the table in `spliceproxy.tap.succession`.

In each, bytes go on in order before and after, and the successor gets what the table says.
"""

import errno
import socket
from pathlib import Path

import pytest
import trio
import trio.lowlevel

from spliceproxy.kernel import syscalls
from spliceproxy.pump.copy_flow import CopyFlow
from spliceproxy.pump.splice_flow import SpliceFlow
from spliceproxy.tap.fan_out import SMALL_BYTES
from spliceproxy.tap.succession import SMALL_IN_A_ROW
from spliceproxy.tap.tapped_flow import TappedCopyFlow, TappedSpliceFlow, release
from tests.faults import ENDLESS, FailAt
from tests.pump.linking import receive
from tests.streams import TINY
from tests.tap.direction import (
    EMPTIED,
    LARGE,
    REFUSED,
    ROWS,
    SMALL,
    STARVED,
    TAPPED,
    check,
    direction,
)


async def test_a_splice_flow_is_tapped() -> None:
    async with direction(buffers=TINY) as one:
        sent = await one.pause()
        before = one.flow
        assert isinstance(before, SpliceFlow)
        pipe, pending, taken = before.pipe, before.pending_bytes, before.taken_bytes
        before.held = before.end_is_near = True
        one.attach()
        after = one.flow
        check(before, after, "SpliceFlow", TAPPED)
        assert isinstance(after, TappedSpliceFlow)
        assert pipe is not None
        assert (after.pipe, after.pending_bytes, before.pipe) == (pipe, pending, None)
        assert (after.paused, after.held, after.end_is_near) == (True, True, True)
        assert after.taken_bytes == taken
        release(after)
        assert len(await receive(one.it.backend, sent)) == sent
        assert len(one.copies.data) == sent - taken
        await one.goes_on()


async def test_a_copy_flow_is_tapped() -> None:
    async with direction(splice=False, buffers=TINY) as one:
        sent = await one.pause()
        before = one.flow
        assert isinstance(before, CopyFlow)
        pending, taken = bytes(before.pending), before.taken_bytes
        one.attach()
        after = one.flow
        check(before, after, "CopyFlow", TAPPED, for_good=True)
        assert isinstance(after, TappedCopyFlow)
        assert (bytes(after.pending), after.pending_bytes) == (pending, len(pending))
        assert (before.pending, after.paused, after.taken_bytes) == (b"", True, taken)
        assert len(await receive(one.it.backend, sent)) == sent
        assert len(one.copies.data) == sent - taken
        await one.goes_on()


async def test_a_copy_flow_that_is_tapped_copies_for_good() -> None:
    async with direction(splice=False) as one:
        one.attach()
        await one.copies_for_good()


async def test_a_tapped_flow_is_tapped() -> None:
    """It keeps its tap, and gets no successor."""
    async with direction() as one:
        one.attach()
        before, tap = one.flow, one.tap
        one.attach()
        assert (one.flow, one.tap) == (before, tap)


@pytest.mark.parametrize("call", [1, 2], ids=["filling", "draining"])
async def test_a_splice_flow_is_refused(call: int) -> None:
    async with direction() as one:
        await one.say(b"spliced, ")
        before = one.flow
        await one.refuse(call, b"then copied")
        check(before, one.flow, "SpliceFlow", REFUSED)
        assert (one.flow.spliced_bytes, one.flow.copied_bytes) == (9, 11)
        assert one.it.pool.statistics().in_use == 0
        await one.goes_on()


async def test_a_paused_splice_flow_is_refused() -> None:
    """What waits in its pipe goes on waiting in memory, and is drained first."""
    async with direction(buffers=TINY) as one:
        sent = await one.pause()
        before = one.flow
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(syscalls, "splice", FailAt(syscalls.splice, 1, errno.EINVAL))
            received = await receive(one.it.backend, 1)
            received += await receive(one.it.backend, sent - 1)
        check(before, one.flow, "SpliceFlow", REFUSED)
        assert len(received) == sent
        await one.goes_on()


async def test_a_splice_flow_is_refused_when_the_end_is_near() -> None:
    async with direction() as one:
        before = one.flow
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(syscalls, "splice", FailAt(syscalls.splice, 1, errno.EINVAL))
            one.it.client.send(b"the last")
            one.it.client.shutdown(socket.SHUT_WR)
            assert await receive(one.it.backend, 100) == b"the last"
        check(before, one.flow, "SpliceFlow", REFUSED)
        assert one.flow.end_is_near
        assert one.it.link.first_to_end == "client"


async def test_a_splice_flow_gets_no_pipe() -> None:
    async with direction() as one:
        before = one.flow
        with pytest.MonkeyPatch.context() as patch:
            fault = FailAt(syscalls.make_pipe, 1, errno.EMFILE, times=ENDLESS)
            patch.setattr(syscalls, "make_pipe", fault)
            await one.say()
        check(before, one.flow, "SpliceFlow", REFUSED)
        await one.goes_on()


async def test_a_splice_flow_starves() -> None:
    async with direction() as one:
        await one.say(b"spliced, ")
        before = one.flow
        await one.starve(b"then read")
        check(before, one.flow, "SpliceFlow", STARVED)
        assert one.flow.copied_bytes > 0
        assert one.it.pool.statistics().in_use == 0
        await one.goes_on()


async def test_a_tapped_splice_flow_starves() -> None:
    async with direction() as one:
        one.attach()
        before = one.flow
        await one.starve(b"read")
        check(before, one.flow, "TappedSpliceFlow", STARVED, for_good=True)
        assert one.copies.data == b"read"
        await one.copies_for_good()


@pytest.mark.parametrize("call", [1, 2], ids=["filling", "draining"])
async def test_a_tapped_splice_flow_is_refused(call: int) -> None:
    async with direction() as one:
        one.attach()
        await one.say(b"spliced, ")
        before = one.flow
        await one.refuse(call, b"then copied")
        check(before, one.flow, "TappedSpliceFlow", REFUSED, for_good=True)
        assert (one.copies.data, one.copies.missed) == (b"spliced, then copied", 0)
        assert one.it.pool.statistics().in_use == 0
        await one.copies_for_good()
        await one.goes_on()


async def test_a_tapped_splice_flow_is_refused_while_a_receiver_holds() -> None:
    async with direction() as one:
        one.attach()
        before = one.flow
        one.copies.holds = True
        await one.refuse(2, b"copied")
        check(before, one.flow, "TappedSpliceFlow", REFUSED, for_good=True)
        await one.is_held()


async def test_a_tapped_splice_flow_has_small_messages() -> None:
    async with direction() as one:
        one.attach()
        before = one.flow
        for small in (SMALL_IN_A_ROW - 1, SMALL_IN_A_ROW - 1):
            for _ in range(small):
                await one.say()
            await one.say(bytes(SMALL_BYTES + 1))  # counted from here on, again
        assert one.flow is before
        for _ in range(SMALL_IN_A_ROW):
            await one.say()
        check(before, one.flow, "TappedSpliceFlow", SMALL)
        await one.goes_on()
        assert one.copies.missed == 0


async def test_a_tapped_splice_flow_has_small_messages_while_a_receiver_holds() -> None:
    async with direction() as one:
        one.attach()
        before = one.flow
        for number in range(SMALL_IN_A_ROW):
            one.copies.holds = number == SMALL_IN_A_ROW - 1
            await one.say()
        check(before, one.flow, "TappedSpliceFlow", SMALL)
        await one.is_held()


async def test_a_tapped_copy_flow_has_a_large_message() -> None:
    async with direction() as one:
        await one.attach_copying()
        before = one.flow
        await one.say_large()
        check(before, one.flow, "TappedCopyFlow", LARGE)
        await one.goes_on()


async def test_a_tapped_splice_flow_has_no_receiver() -> None:
    async with direction() as one:
        one.attach()
        before = one.flow
        one.detach()
        assert one.flow is before, "not before its next chance"
        await one.say()
        check(before, one.flow, "TappedSpliceFlow", EMPTIED)
        await one.goes_on()


async def test_a_tapped_flow_without_receiver_waits_until_nothing_is_pending() -> None:
    async with direction(buffers=TINY) as one:
        one.attach()
        before = one.flow
        sent = await one.pause()
        one.detach()
        await trio.sleep(0.01)
        assert one.flow is before
        assert len(await receive(one.it.backend, sent)) == sent
        await one.say()
        check(before, one.flow, "TappedSpliceFlow", EMPTIED)


async def test_a_tapped_copy_flow_has_no_receiver() -> None:
    async with direction() as one:
        await one.attach_copying()
        before = one.flow
        one.detach()
        await one.say()
        check(before, one.flow, "TappedCopyFlow", EMPTIED)
        await one.goes_on()


async def test_a_tapped_copy_flow_for_good_has_no_receiver() -> None:
    async with direction(splice=False) as one:
        one.attach()
        before = one.flow
        one.detach()
        await one.say()
        check(before, one.flow, "TappedCopyFlow *", EMPTIED)
        await one.goes_on()


async def test_a_refused_flow_without_receiver_does_not_splice_again() -> None:
    async with direction() as one:
        one.attach()
        await one.refuse(1, b"copied")
        before = one.flow
        one.detach()
        await one.say()
        check(before, one.flow, "TappedCopyFlow *", EMPTIED)


async def test_a_flow_that_is_done_has_no_successor() -> None:
    async with direction() as one:
        one.attach()
        before = one.flow
        one.detach()
        one.it.client.send(b"the last")
        one.it.client.shutdown(socket.SHUT_WR)
        assert await receive(one.it.backend, 100) == b"the last"
        last = one.flow
        assert before.successor in {None, last}
        assert last.done
        assert last.successor is None


def test_each_row_is_held_by_a_test() -> None:
    text = Path(__file__).read_text()
    names = {TAPPED: "TAPPED", REFUSED: "REFUSED", SMALL: "SMALL", LARGE: "LARGE"}
    names[STARVED] = "STARVED"
    for who, when, *_ in ROWS:
        assert f'"{who}", {names.get(when, "EMPTIED")}' in text
    assert len(ROWS) == 11
