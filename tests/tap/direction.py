"""A direction whose flows succeed one another, and the table of `spliceproxy.tap.succession`."""

import errno
import select
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import trio
import trio.lowlevel

from spliceproxy.kernel import syscalls
from spliceproxy.kernel.pipes import fitting_pipes
from spliceproxy.kernel.splice_refusals import SpliceStarvedError
from spliceproxy.pump.copy_flow import COPY_BYTES
from spliceproxy.pump.flow import Flow
from spliceproxy.tap import succession
from spliceproxy.tap.fan_out import Tap
from spliceproxy.tap.succession import SMALL_IN_A_ROW, tap_flow
from spliceproxy.tap.tap_pipes import TapPipes
from spliceproxy.tap.tapped_flow import TappedCopyFlow, release, tap_of
from tests.faults import ENDLESS, FailAt, starving
from tests.pump.linking import Linked, linked, receive
from tests.streams import KERNEL_CHOICE, Buffers, fill_up
from tests.tap.test_tapping import Copies, say, taps

TAPPED = "it is tapped"
REFUSED = "splice or a pipe is refused"
STARVED = "splice finds nothing, reads do"
SMALL = "a few small messages in a row"
LARGE = "a message that fills its buffer"
EMPTIED = "its tap has no receiver any more"

LARGE_MESSAGE = bytes(range(256)) * (COPY_BYTES // 256)


def rows() -> list[list[str]]:
    """The cells of the table, without its head."""
    assert succession.__doc__ is not None
    lines = succession.__doc__.splitlines()
    rules = [number for number, line in enumerate(lines) if line.startswith("=====")]
    widths = [len(rule) for rule in lines[rules[0]].split()]
    found = []
    for line in lines[rules[1] + 1 : rules[2]]:
        cells, at = [], 0
        for width in widths[:-1]:
            cells.append(line[at : at + width].strip())
            at += width + 2
        found.append([*cells, line[at:].strip()])
    return found


ROWS = rows()


@dataclass
class Direction:
    """The request of a link, the pipes of its taps, and what is copied."""

    it: Linked
    pipes: TapPipes
    copies: Copies

    @property
    def flow(self) -> Flow:
        return self.it.link.request

    @property
    def tap(self) -> Tap | None:
        return tap_of(self.flow)

    def attach(self) -> None:
        fitting = fitting_pipes(self.it.pool, self.pipes.capacity_bytes)
        tap_flow(self.flow, self.pipes, fitting).add(self.copies)

    def detach(self) -> None:
        assert self.tap is not None
        self.tap.remove(self.copies)

    async def say(self, data: bytes = b"a message") -> None:
        await say(self.it, data)

    async def pause(self) -> int:
        """Send until the flow is paused and stays so: a kernel may find room; how many bytes."""
        sent = paused_in_a_row = 0
        while paused_in_a_row < 5:
            sent += fill_up(self.it.client)
            await trio.sleep(0.005)
            paused_in_a_row = paused_in_a_row + 1 if self.flow.paused else 0
        return sent

    async def refuse(self, call: int, data: bytes) -> None:
        """Send bytes of which splice is refused at that call, and from then on."""
        with pytest.MonkeyPatch.context() as patch:
            fault = FailAt(syscalls.splice, call, errno.EINVAL, times=ENDLESS)
            patch.setattr(syscalls, "splice", fault)
            await self.say(data)
        assert len(self.it.owner.refusals) == 1

    async def starve(self, data: bytes) -> None:
        """Send bytes that splice finds nothing of, though they are there; also from then on."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(syscalls, "splice", starving(self.it.near[0].fileno()))
            await self.say(data)
        [cause] = self.it.owner.refusals
        assert isinstance(cause, SpliceStarvedError)

    async def attach_copying(self) -> None:
        """Attach, and have small messages, so that the flow copies."""
        self.attach()
        for _ in range(SMALL_IN_A_ROW):
            await self.say()
        assert type(self.flow) is TappedCopyFlow

    async def say_large(self) -> None:
        """Send what fills the buffer of a flow that copies, when all of it has arrived."""
        self.it.link.client.unwatch()
        self.it.client.sendall(LARGE_MESSAGE)
        await trio.sleep(0.01)
        self.it.link.client.update()
        assert await receive(self.it.backend, COPY_BYTES) == LARGE_MESSAGE

    async def copies_for_good(self) -> None:
        """A large message does not turn it back."""
        before = self.flow
        await self.say_large()
        assert self.flow is before

    async def is_held(self) -> None:
        """Reads nothing until the receiver has room again."""
        assert self.flow.held
        self.it.client.send(b"later")
        await trio.sleep(0.02)
        assert select.select([self.it.backend], [], [], 0)[0] == []
        self.copies.holds = False
        release(self.flow)
        assert await receive(self.it.backend, 5) == b"later"
        assert not self.flow.held

    async def goes_on(self) -> None:
        """Ends in an orderly way, whatever there was before."""
        await self.say(b"and on")
        self.it.client.shutdown(socket.SHUT_WR)
        assert await receive(self.it.backend, 1) == b""
        assert self.it.link.first_to_end == "client"


@asynccontextmanager
async def direction(
    *, splice: bool = True, buffers: Buffers = KERNEL_CHOICE
) -> AsyncIterator[Direction]:
    with taps() as pipes:
        async with linked(splice=splice, buffers=buffers) as it:
            yield Direction(it, pipes, Copies())


def check(before: Flow, after: Flow, who: str, when: str, *, for_good: bool = False) -> None:
    """Hold a transition that has just been made against its row."""
    (row,) = (row for row in ROWS if row[:2] == [who, when])
    assert type(before).__name__ == who.removesuffix(" *")
    assert row[2] == type(after).__name__ + " *" * for_good
    old_tap, tap = tap_of(before), tap_of(after)
    assert {
        "none": tap is None,
        "its": tap is old_tap is not None,
        "a new": tap is not None and old_tap is None,
    }[row[3]]
    assert (before.successor, after.successor) == (after, None)
    assert (before.done, before.pending_bytes) == (False, 0)
    assert after.link.request is after.source.inbound is after.destination.outbound is after
