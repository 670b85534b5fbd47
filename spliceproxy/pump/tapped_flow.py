"""Flows with a tap. One without mirrors has no trace of it."""

from typing import TYPE_CHECKING

from spliceproxy.kernel.pipes import PipePool
from spliceproxy.pump.copy_flow import CopyFlow
from spliceproxy.pump.flow import Flow
from spliceproxy.pump.splice_flow import SpliceFlow
from spliceproxy.pump.tap import Tap

if TYPE_CHECKING:
    from spliceproxy.pump.endpoint import Endpoint
    from spliceproxy.pump.link import Link


class TappedSpliceFlow(SpliceFlow):
    """Splices; tapped once after each fill, before any drain."""

    __slots__ = ("_tap",)

    def __init__(
        self,
        pool: PipePool,
        tap: Tap,
        link: "Link",
        source: "Endpoint",
        destination: "Endpoint",
    ) -> None:
        super().__init__(pool, link, source, destination)
        self._tap = tap

    def pump(self) -> None:
        """Fill an empty pipe, copy it to the branches, then drain it."""
        count = self.fill()
        if count and self.pipe is not None:
            self._tap.copy_pipe(self.pipe, count)
            _hand_on(self, self._tap)

    def source_ended(self) -> None:
        """Pass the end on to the mirrors too."""
        self._tap.end(clean=True)
        if not self.done:  # else a mirror that traffic must not do without has ended the link
            super().source_ended()

    def make_successor(self) -> CopyFlow:
        """Make the flow that goes on by copying, with the same tap."""
        return TappedCopyFlow(self._tap, self.link, self.source, self.destination)


class TappedCopyFlow(CopyFlow):
    """Copies; the branches share what was read."""

    __slots__ = ("_tap",)

    def __init__(self, tap: Tap, link: "Link", source: "Endpoint", destination: "Endpoint") -> None:
        super().__init__(link, source, destination)
        self._tap = tap

    def pump(self) -> None:
        """Read, hand the bytes to the branches, then drain."""
        if self.fill():
            self._tap.copy_bytes(bytes(self.pending))
            _hand_on(self, self._tap)

    def source_ended(self) -> None:
        """Pass the end on to the mirrors too."""
        self._tap.end(clean=True)
        if not self.done:  # else a mirror that traffic must not do without has ended the link
            super().source_ended()


def _hand_on(flow: Flow, tap: Tap) -> None:
    """Drain, unless a mirror that traffic must not do without has failed; then wait for one."""
    if not flow.done:
        flow.drain()
    if not flow.done and tap.holds:
        flow.held = True
        flow.source.update()


def release(flow: Flow, tap: Tap | None) -> None:
    """Read the source on, if no branch objects any more."""
    if tap is not None and flow.held and not flow.done and not tap.holds:
        flow.held = False
        flow.source.update()
