"""A tap for a connection that is under way."""

from spliceproxy.kernel.pipes import PipeLender
from spliceproxy.pump.copy_flow import CopyFlow
from spliceproxy.pump.flow import Flow
from spliceproxy.pump.splice_flow import SpliceFlow
from spliceproxy.tap.fan_out import Tap
from spliceproxy.tap.tap_pipes import TapPipes
from spliceproxy.tap.tapped_flow import TappedCopyFlow, TappedSpliceFlow


def tap_flow(flow: Flow, tap_pipes: TapPipes, pipes: PipeLender | None) -> Tap:
    """Return the tap of a flow that is not done; if it has none, one that has succeeds it.

    To be called between events only, never by what the flow itself has called. Then nothing is
    half done: each byte that was taken from the source is either with the destination or pending,
    in order. The successor takes over what is pending as it is, a pipe with its bytes or memory,
    together with the pause that belongs to it, so that the endpoints are watched for the same as
    before. What is pending is not copied: a branch that is added to the tap now gets the stream
    from the offset that `Flow.taken_bytes` has before the call, without a gap and without a byte
    twice.

    ``pipes`` lends no pipe larger than those of the taps. A flow that copies goes on to copy.
    """
    if flow.tap is not None:
        return flow.tap
    tap = Tap([], tap_pipes)
    if isinstance(flow, SpliceFlow) and pipes is not None:
        splicing = TappedSpliceFlow(pipes, tap, flow.link, flow.source, flow.destination)
        splicing.pipe, flow.pipe = flow.pipe, None
        splicing.pending_bytes, flow.pending_bytes = flow.pending_bytes, 0
        flow.link.replace(flow, splicing)
    elif isinstance(flow, CopyFlow):
        copying = TappedCopyFlow(tap, flow.link, flow.source, flow.destination)
        copying.pending, flow.pending = flow.pending, b""
        copying.pending_bytes, flow.pending_bytes = flow.pending_bytes, 0
        flow.link.replace(flow, copying)
    else:
        raise TypeError(f"{type(flow).__name__} cannot be tapped")
    return tap
