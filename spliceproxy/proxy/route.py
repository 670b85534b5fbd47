"""What the connections of one route have in common."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from spliceproxy.kernel.pipes import PipePool
from spliceproxy.proxy.route_limits import EndpointMakers
from spliceproxy.pump.copy_flow import CopyFlow
from spliceproxy.pump.ending import LinkTimeouts
from spliceproxy.pump.flow import FlowMaker
from spliceproxy.pump.splice_flow import SpliceFlow
from spliceproxy.sinks.mirrors import Mirror, Mirrors
from spliceproxy.tap.fan_out import Tap
from spliceproxy.tap.succession import Succession
from spliceproxy.upstream.pool import BackendPool

if TYPE_CHECKING:
    from spliceproxy.proxy.attachments import AttachedMirror


@dataclass(slots=True)
class Route:
    """Where clients that a route's listeners accept are relayed to, and how."""

    name: str
    max_connections: int
    """With those that other routes hand to it."""
    backends: BackendPool
    mirrors: Sequence[Mirror]
    tapping: Mirrors | None
    """What the mirrors of all routes share; None where this one is configured with none."""
    make_flow: FlowMaker
    pipes: PipePool | None  # None: flows copy
    timeouts: LinkTimeouts
    client_makers: EndpointMakers
    backend_makers: EndpointMakers
    vital: Sequence[Mirror] = ()
    """Those of the mirrors without which there is to be no traffic."""
    attached: list["AttachedMirror"] = field(default_factory=list)
    """Mirrors that somebody has attached while it runs."""

    def flow_with(self, tap: Tap | None, *, by_tls: bool) -> FlowMaker:
        """How a direction moves its bytes: decided here, once for a connection.

        What is encrypted or decrypted on its way passes through this process.
        """
        if by_tls:
            return CopyFlow if tap is None else Succession(tap, None).begin
        return self.make_flow if tap is None else Succession(tap, self.pipes).begin


def plain_flow(pipes: PipePool | None) -> FlowMaker:
    """How a direction without a tap moves its bytes."""
    return CopyFlow if pipes is None else partial(SpliceFlow, pipes)
