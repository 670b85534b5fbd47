"""Flows with a tap. One without mirrors has no trace of it.

A copy of a small message has to be read, whatever the number of mirrors. Then it is cheaper to
read the message itself and hand the same bytes to the mirrors and to the destination: two system
calls instead of four. So a tapped flow copies while its messages are small, and splices while
they are large. One whose tap has been emptied goes back to a flow without at its next chance.
"""

from typing import TYPE_CHECKING

from spliceproxy.kernel.pipes import PipeLender
from spliceproxy.pump.copy_flow import COPY_BYTES, CopyFlow
from spliceproxy.pump.flow import Flow
from spliceproxy.pump.splice_flow import SpliceFlow
from spliceproxy.tap.fan_out import SMALL_BYTES, Tap

if TYPE_CHECKING:
    from spliceproxy.pump.endpoint import Endpoint
    from spliceproxy.pump.link import Link

_SMALL_IN_A_ROW = 4
"""After so many small messages the flow copies; one that fills its buffer turns it back."""


class TappedSpliceFlow(SpliceFlow):
    """Splices; tapped once after each fill, before any drain."""

    __slots__ = ("_small_in_a_row", "_tap")

    def __init__(
        self,
        pool: PipeLender,
        tap: Tap,
        link: "Link",
        source: "Endpoint",
        destination: "Endpoint",
    ) -> None:
        super().__init__(pool, link, source, destination)
        self._tap = tap
        self._small_in_a_row = 0

    @property
    def tap(self) -> Tap:
        """What copies this flow."""
        return self._tap

    def pump(self) -> None:
        """Fill an empty pipe, copy it to the branches, then drain it."""
        count = self.fill()
        if not count or self.pipe is None:
            return
        self._tap.copy_pipe(self.pipe, count)
        _hand_on(self, self._tap)
        self._small_in_a_row = self._small_in_a_row + 1 if count <= SMALL_BYTES else 0
        if self.done or self.pending_bytes:
            return
        ends = self.source, self.destination
        if self._tap.is_empty:
            self.link.replace(self, SpliceFlow(self._pool, self.link, *ends))
        elif self._small_in_a_row == _SMALL_IN_A_ROW:
            self.link.replace(self, TappedCopyFlow(self._tap, self.link, *ends, self._pool))

    def source_ended(self) -> None:
        """Pass the end on to the mirrors too."""
        self._tap.end(clean=True)
        if not self.done:  # else a mirror that traffic must not do without has ended the link
            super().source_ended()

    def make_successor(self) -> CopyFlow:
        """Make the flow that goes on by copying, with the same tap, for good."""
        return TappedCopyFlow(self._tap, self.link, self.source, self.destination)


class TappedCopyFlow(CopyFlow):
    """Copies; the branches share what was read."""

    __slots__ = ("_pool", "_tap")

    def __init__(
        self,
        tap: Tap,
        link: "Link",
        source: "Endpoint",
        destination: "Endpoint",
        pool: PipeLender | None = None,
    ) -> None:
        super().__init__(link, source, destination)
        self._tap = tap
        self._pool = pool  # to splice again with; None: never

    @property
    def tap(self) -> Tap:
        """What copies this flow."""
        return self._tap

    def pump(self) -> None:
        """Read, hand the bytes to the branches, then drain."""
        count = self.fill()
        if not count:
            return
        self._tap.copy_bytes(bytes(self.pending))
        _hand_on(self, self._tap)
        if self._tap.is_empty or (count == COPY_BYTES and self._pool is not None):
            self._be_succeeded()

    def _be_succeeded(self) -> None:
        if self.done or self.pending_bytes:
            return
        ends = self.source, self.destination
        flow: Flow
        if self._pool is None:
            flow = CopyFlow(self.link, *ends)
        elif self._tap.is_empty:
            flow = SpliceFlow(self._pool, self.link, *ends)
        else:
            flow = TappedSpliceFlow(self._pool, self._tap, self.link, *ends)
        self.link.replace(self, flow)

    def source_ended(self) -> None:
        """Pass the end on to the mirrors too."""
        self._tap.end(clean=True)
        if not self.done:
            super().source_ended()


def _hand_on(flow: Flow, tap: Tap) -> None:
    """Drain, unless a mirror that traffic must not do without has failed; then wait for one."""
    if not flow.done:
        flow.drain()
    if not flow.done and tap.holds:
        flow.held = True
        flow.source.update()


def release(flow: Flow) -> None:
    """Read the source on, if no branch objects any more."""
    tap = flow.tap
    if tap is not None and flow.held and not flow.done and not tap.holds:
        flow.held = False
        flow.source.update()
