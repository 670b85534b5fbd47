"""What a route needs before its first connection: looked up once, for all workers."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spliceproxy.kernel.addresses import name_listener
from spliceproxy.proxy.capacity import Capacity
from spliceproxy.settings.options import RouteSettings
from spliceproxy.sinks.checks import check_mirrors
from spliceproxy.upstream.pool import Member, resolve_members
from spliceproxy.upstream.resolved import Resolved, resolve_mirrors


@dataclass(frozen=True, slots=True)
class Upstreams:
    """Where a route's connections and copies go."""

    members: list[Member]
    mirrors: list[Resolved | None]


@dataclass(frozen=True, slots=True)
class PreparedRoute:
    """A route that workers can serve."""

    settings: RouteSettings
    upstreams: Upstreams
    listening: list[socket.socket]
    max_connections: int
    listeners: tuple[str, ...]
    """The names of the sockets, also when they are closed."""

    def describe(self) -> dict[str, Any]:
        """Return what the start line tells."""
        return {
            "name": self.settings.name,
            "listeners": list(self.listeners),
            "backends": [member.name for member in self.upstreams.members],
            "mirrors": [mirror.text for mirror in self.settings.mirrors],
            "max_connections": self.max_connections,
        }


def look_up(routes: Sequence[RouteSettings]) -> list[Upstreams]:
    """Resolve all names, and check the mirrors' places. Blocks.

    Raises:
        UsageProblem: a mirror cannot work, such as one whose directory is another's too.
        StartProblem: a name does not resolve.
    """
    upstreams = [
        Upstreams(resolve_members(route.backends), resolve_mirrors(route.mirrors))
        for route in routes
    ]
    check_mirrors(mirror for route in routes for mirror in route.mirrors)
    return upstreams


def prepare(
    routes: Sequence[RouteSettings],
    upstreams: Sequence[Upstreams],
    listening: Sequence[list[socket.socket]],
    capacity: Capacity,
) -> list[PreparedRoute]:
    """Return the routes with all that belongs to them."""
    parts = zip(routes, upstreams, listening, capacity.max_connections, strict=True)
    return [
        PreparedRoute(settings, its_upstreams, sockets, most, tuple(map(name_listener, sockets)))
        for settings, its_upstreams, sockets, most in parts
    ]
