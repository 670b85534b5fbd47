"""What the connections of one route have in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from spliceproxy.kernel.pipes import PipePool
from spliceproxy.pump.copy_flow import CopyFlow
from spliceproxy.pump.deadlines import LinkTimeouts
from spliceproxy.pump.flow import FlowMaker
from spliceproxy.pump.splice_flow import SpliceFlow
from spliceproxy.pump.tap import Tap
from spliceproxy.pump.tapped_flow import TappedCopyFlow, TappedSpliceFlow
from spliceproxy.sinks.mirrors import Mirror, Mirrors
from spliceproxy.upstream.pool import BackendPool


@dataclass(frozen=True, slots=True)
class Route:
    """Where clients that a route's listeners accept are relayed to, and how."""

    name: str
    backends: BackendPool
    mirrors: Sequence[Mirror]
    tapping: Mirrors | None
    """What the mirrors of all routes share; None where this one has none."""
    make_flow: FlowMaker
    pipes: PipePool | None  # None: flows copy
    timeouts: LinkTimeouts

    def flow_with(self, tap: Tap | None) -> FlowMaker:
        """How a direction moves its bytes: decided here, once for a connection."""
        if tap is None:
            return self.make_flow
        if self.pipes is None:
            return partial(TappedCopyFlow, tap)
        return partial(TappedSpliceFlow, self.pipes, tap)


def plain_flow(pipes: PipePool | None) -> FlowMaker:
    """How a direction without a tap moves its bytes."""
    return CopyFlow if pipes is None else partial(SpliceFlow, pipes)
