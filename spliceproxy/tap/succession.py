"""Which flow goes on in the place of another one, and when: all transitions.

A flow that can't go on as it is, or need not, has a successor in the same direction of the same
link. `Flow.hand_over` gives that one the account, the pause, the hold and the word of a near end.
The table says what else it gets. ``*`` marks a flow that copies for good, since its link may not
splice (`splice: off`) or was refused it once; a starved one was, too (`kernel.splice_refusals`).

================  ================================  ================  ======  ======================
from              when                              to                tap     what is pending
================  ================================  ================  ======  ======================
SpliceFlow        it is tapped                      TappedSpliceFlow  a new   its pipe, as it is
CopyFlow          it is tapped                      TappedCopyFlow *  a new   its bytes, as they are
SpliceFlow        splice or a pipe is refused       CopyFlow          none    its pipe, read back
TappedSpliceFlow  splice or a pipe is refused       TappedCopyFlow *  its     its pipe, read back
SpliceFlow        splice finds nothing, reads do    CopyFlow          none    nothing
TappedSpliceFlow  splice finds nothing, reads do    TappedCopyFlow *  its     nothing
TappedSpliceFlow  a few small messages in a row     TappedCopyFlow    its     nothing
TappedCopyFlow    a message that fills its buffer   TappedSpliceFlow  its     nothing
TappedSpliceFlow  its tap has no receiver any more  SpliceFlow        none    nothing
TappedCopyFlow    its tap has no receiver any more  SpliceFlow        none    nothing
TappedCopyFlow *  its tap has no receiver any more  CopyFlow          none    nothing
================  ================================  ================  ======  ======================

A flow is tapped between events, by whoever adds a receiver; a tapped one keeps its tap. Splice is
refused in the middle of one, while the pipe is filled or drained, and is found to starve before it
is filled. The others come at the end of `pump`, when the receivers have their copies and nothing is
pending; if something is, they wait for the next time. A flow that is done has no successor.

A flow whose source has ended, but whose end waits until its receivers let it pass (`end_waits`), is
not done, and is pumped no more: so it has no successor either.

Why a tapped flow copies small messages: a copy of one has to be read, whatever the number of
mirrors. Then it is cheaper to read the message itself and hand the same bytes to the mirrors and
to the destination: two system calls instead of four.
"""

from typing import TYPE_CHECKING

from spliceproxy.kernel.pipes import PipeLender
from spliceproxy.pump.copy_flow import COPY_BYTES, CopyFlow
from spliceproxy.pump.flow import Flow
from spliceproxy.pump.splice_flow import SpliceFlow
from spliceproxy.tap.fan_out import Tap
from spliceproxy.tap.tap_pipes import TapPipes
from spliceproxy.tap.tapped_flow import TappedCopyFlow, TappedSpliceFlow, tap_of

if TYPE_CHECKING:
    from spliceproxy.pump.endpoint import Endpoint
    from spliceproxy.pump.link import Link

SMALL_IN_A_ROW = 4
"""After so many small messages a tapped flow copies."""


class Succession:
    """The transitions of one direction from when on it is tapped."""

    __slots__ = ("_pipes", "_tap")

    def __init__(self, tap: Tap, pipes: PipeLender | None) -> None:
        """`pipes` lends none larger than those of the tap; None: flows copy for good."""
        self._tap = tap
        self._pipes = pipes

    def begin(self, link: "Link", source: "Endpoint", destination: "Endpoint") -> Flow:
        """Make the flow of a direction that is tapped from its beginning.

        It copies at first, since most first messages are small.
        """
        return TappedCopyFlow(self, self._tap, link, source, destination)

    def make_copying(self, flow: TappedSpliceFlow) -> TappedCopyFlow:
        """Make the flow that copies for good, because splice is refused."""
        self._pipes = None
        return TappedCopyFlow(self, self._tap, flow.link, flow.source, flow.destination)

    def after_splicing(self, flow: TappedSpliceFlow) -> None:
        """Have a flow succeeded that has pumped, and has nothing pending, if it is time."""
        if self._tap.is_empty:
            flow.hand_over(self._make_plain(flow))
        elif flow.small_in_a_row >= SMALL_IN_A_ROW:
            ends = flow.source, flow.destination
            flow.hand_over(TappedCopyFlow(self, self._tap, flow.link, *ends))

    def after_copying(self, flow: TappedCopyFlow, count: int) -> None:
        """As `after_splicing`, for a flow that has copied so many bytes."""
        if self._tap.is_empty:
            flow.hand_over(self._make_plain(flow))
        elif count == COPY_BYTES and self._pipes is not None:
            ends = flow.source, flow.destination
            flow.hand_over(TappedSpliceFlow(self, self._tap, self._pipes, flow.link, *ends))

    def _make_plain(self, flow: Flow) -> Flow:
        if self._pipes is None:
            return CopyFlow(flow.link, flow.source, flow.destination)
        return SpliceFlow(self._pipes, flow.link, flow.source, flow.destination)


def tap_flow(flow: Flow, tap_pipes: TapPipes, pipes: PipeLender | None) -> Tap:
    """Return the tap of a flow that is not done; if it has none, one that has succeeds it.

    To be called between events only, never by what the flow itself has called. Then nothing is
    half done: each byte that was taken from the source is either with the destination or pending,
    in order. What is pending is not copied: a receiver that is added to the tap now gets the
    stream from the offset that `Flow.taken_bytes` has before the call, without a gap and without
    a byte twice.

    ``pipes`` lends no pipe larger than those of the taps. A flow that copies goes on to copy.
    """
    tap = tap_of(flow)
    if tap is not None:
        return tap
    tap = Tap([], tap_pipes)
    ends = flow.source, flow.destination
    if isinstance(flow, SpliceFlow) and pipes is not None:
        splicing = TappedSpliceFlow(Succession(tap, pipes), tap, pipes, flow.link, *ends)
        splicing.pipe, flow.pipe = flow.pipe, None
        flow.hand_over(splicing)
    elif isinstance(flow, CopyFlow):
        copying = TappedCopyFlow(Succession(tap, None), tap, flow.link, *ends)
        copying.pending, flow.pending = flow.pending, b""
        flow.hand_over(copying)
    else:
        raise TypeError(f"{type(flow).__name__} cannot be tapped")
    return tap
