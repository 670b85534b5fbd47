"""Flows with a tap. One without mirrors has no trace of it.

Each hands to its tap what it has taken before any of it moves on. When it has pumped, it asks its
succession whether another flow is to go on.
"""

from typing import TYPE_CHECKING

from spliceproxy.kernel.pipes import PipeLender
from spliceproxy.pump.copy_flow import CopyFlow
from spliceproxy.pump.flow import Flow
from spliceproxy.pump.splice_flow import SpliceFlow
from spliceproxy.tap.fan_out import SMALL_BYTES, Tap

if TYPE_CHECKING:
    from spliceproxy.pump.endpoint import Endpoint
    from spliceproxy.pump.link import Link
    from spliceproxy.tap.succession import Succession


class TappedSpliceFlow(SpliceFlow):
    """Splices; tapped once after each fill, before any drain."""

    __slots__ = ("_succession", "small_in_a_row", "tap")

    def __init__(
        self,
        succession: "Succession",
        tap: Tap,
        pool: PipeLender,
        link: "Link",
        source: "Endpoint",
        destination: "Endpoint",
    ) -> None:
        super().__init__(pool, link, source, destination)
        self._succession = succession
        self.tap = tap
        self.small_in_a_row = 0
        """How many messages since the last one that it was worth splicing for."""

    def pump(self) -> None:
        """Fill an empty pipe, copy it to the receivers, then drain it."""
        count = self.fill()
        if not count:
            return
        assert self.pipe is not None  # noqa: S101 - exactly `count` bytes are in it
        self.tap.copy_pipe(self.pipe, count)
        self.small_in_a_row = self.small_in_a_row + 1 if count <= SMALL_BYTES else 0
        _hand_on(self, self.tap)
        if not (self.done or self.pending_bytes or self.successor):
            self._succession.after_splicing(self)

    def source_ended(self) -> None:
        """Pass the end on to the mirrors too."""
        self.tap.end(clean=True)
        if not self.done:  # else a mirror that traffic must not do without has ended the link
            super().source_ended()

    def make_copying(self) -> CopyFlow:
        """Make the flow that goes on where splice is refused."""
        return self._succession.make_copying(self)


class TappedCopyFlow(CopyFlow):
    """Copies; the receivers share what was read."""

    __slots__ = ("_succession", "tap")

    def __init__(
        self,
        succession: "Succession",
        tap: Tap,
        link: "Link",
        source: "Endpoint",
        destination: "Endpoint",
    ) -> None:
        super().__init__(link, source, destination)
        self._succession = succession
        self.tap = tap

    def pump(self) -> None:
        """Read, hand the bytes to the receivers, then drain."""
        count = self.fill()
        if not count:
            return
        self.tap.copy_bytes(bytes(self.pending))
        _hand_on(self, self.tap)
        if not (self.done or self.pending_bytes or self.successor):
            self._succession.after_copying(self, count)

    def source_ended(self) -> None:
        """Pass the end on to the mirrors too."""
        self.tap.end(clean=True)
        if not self.done:
            super().source_ended()


def tap_of(flow: Flow) -> Tap | None:
    """Return what copies a flow, if anything does."""
    return flow.tap if isinstance(flow, TappedSpliceFlow | TappedCopyFlow) else None


def release(flow: Flow) -> None:
    """Read the source on, if no receiver objects any more."""
    tap = tap_of(flow)
    if tap is not None and flow.held and not flow.done and not tap.holds:
        flow.held = False
        flow.source.update()


def _hand_on(flow: Flow, tap: Tap) -> None:
    """Drain, unless a mirror that traffic must not do without has failed; then wait for one."""
    if not flow.done:
        flow.drain()
    flow = flow.successor or flow  # splice may have been refused
    if not flow.done and tap.holds:
        flow.held = True
        flow.source.update()
