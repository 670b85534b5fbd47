"""Flows with a tap. One without mirrors has no trace of it.

Each hands to its tap what it has taken before any of it moves on. When it has pumped, it asks its
succession whether another flow is to go on. It is held while a receiver objects: before its first
byte, between two fills, or at its end, which is handed on only when all receivers let it.
"""

from typing import TYPE_CHECKING

from spliceproxy.kernel.pipes import PipeLender
from spliceproxy.kernel.sockets import push
from spliceproxy.pump.copy_flow import COPY_BYTES, CopyFlow
from spliceproxy.pump.flow import Flow
from spliceproxy.pump.splice_flow import SpliceFlow
from spliceproxy.tap.fan_out import SMALL_BYTES, Tap

if TYPE_CHECKING:
    from spliceproxy.pump.endpoint import Endpoint
    from spliceproxy.pump.link import Link
    from spliceproxy.tap.succession import Succession


class TappedSpliceFlow(SpliceFlow):
    """Splices; tapped once after each fill, before any drain."""

    __slots__ = ("_succession", "end_waits", "small_in_a_row", "tap")

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
        self.end_waits = False
        """The source has ended, and a receiver does not let the end pass yet."""
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
        """Pass the end on to the mirrors, then to the destination."""
        if _end_may_pass(self):
            super().source_ended()

    def make_copying(self) -> CopyFlow:
        """Make the flow that goes on where splice is refused."""
        return self._succession.make_copying(self)


class TappedCopyFlow(CopyFlow):
    """Copies; the receivers share what was read."""

    __slots__ = ("_succession", "end_waits", "tap")

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
        self.end_waits = False
        """As in `TappedSpliceFlow`."""

    def pump(self) -> None:
        """Read, hand the bytes to the receivers, then drain.

        Nearly all messages of mirrored traffic go this way: it calls nobody whom it need not.
        """
        count = self.fill()
        if not count:
            return
        data = bytes(self.pending)
        for receiver in self.tap.receivers:
            try:
                receiver.offer(data)
            except Exception as error:  # it is that receiver's, and must not reach the traffic
                receiver.on_crash(error)
        if not self.done:  # no mirror that traffic must not do without has failed
            self.drain()
        for receiver in self.tap.receivers:
            if receiver.holds and not self.done:
                _hold(self)
                break
        if count == COPY_BYTES or not self.tap.receivers:
            self._look_for_successor(count)

    def _look_for_successor(self, count: int) -> None:
        if not (self.done or self.pending_bytes):
            self._succession.after_copying(self, count)

    def source_ended(self) -> None:
        """Pass the end on to the mirrors, then to the destination."""
        if _end_may_pass(self):
            super().source_ended()


TappedFlow = TappedSpliceFlow | TappedCopyFlow


def tap_of(flow: Flow) -> Tap | None:
    """Return what copies a flow, if anything does."""
    return flow.tap if isinstance(flow, TappedFlow) else None


def hold(flow: Flow) -> None:
    """Read the source no further, if a receiver objects.

    To be called when a receiver has been added, and it objects to the first byte.
    """
    if isinstance(flow, TappedFlow) and not flow.done and flow.tap.holds:
        _hold(flow)


def release(flow: Flow) -> None:
    """Read the source on, or hand its end on, if no receiver objects any more."""
    if not isinstance(flow, TappedFlow) or not flow.held or flow.done or flow.tap.holds:
        return
    flow.held = False
    if flow.end_waits:
        flow.source_ended()
    else:
        flow.source.update()


def _hold(flow: Flow) -> None:
    flow.held = True
    flow.source.update()
    if flow.end_is_near and not flow.paused:
        push(flow.destination.sock)  # else they wait for the end that was to follow at once


def _end_may_pass(flow: TappedFlow) -> bool:
    """Tell the receivers of the end; whether all of them let it pass now.

    It may be asked again, when a receiver that has objected does so no more.
    """
    flow.tap.end(clean=True)
    if flow.done:  # a mirror that traffic must not do without has ended the link
        return False
    flow.end_waits = flow.tap.holds
    if flow.end_waits:
        _hold(flow)
    return not flow.end_waits


def _hand_on(flow: Flow, tap: Tap) -> None:
    """Drain, unless a mirror that traffic must not do without has failed; then wait for one."""
    if not flow.done:
        flow.drain()
    flow = flow.successor or flow  # splice may have been refused
    if not flow.done and tap.holds:
        _hold(flow)
