"""What the connections of one route have in common."""

from dataclasses import dataclass

from spliceproxy.pump.flow import FlowMaker
from spliceproxy.upstream.backends import Backends


@dataclass(frozen=True, slots=True)
class Route:
    """Where clients that a route's listeners accept are relayed to, and how."""

    backends: Backends
    make_flow: FlowMaker
    connect_timeout_s: float
    idle_timeout_s: float
    tcp_user_timeout_s: float
