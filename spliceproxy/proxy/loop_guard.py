"""No connection goes round: backends that lead back to their own route are not connected to.

The settings are checked before; here it is what names stand for now, and real addresses.
"""

from collections.abc import Mapping, Sequence

import structlog

from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.kernel.own_addresses import BoundAddress, bound_address, reaches
from spliceproxy.proxy.prepared import PreparedRoute
from spliceproxy.settings.loops import leads_back
from spliceproxy.upstream.pool import BackendPool


class LoopGuard:
    """Looks at all backends of a worker at once, at the start and when one has changed."""

    def __init__(
        self, routes: Sequence[PreparedRoute], pools: Mapping[str, BackendPool], *, tells: bool
    ) -> None:
        """One worker tells the log."""
        self._pools = pools
        self._tells = tells
        self._told: set[tuple[str, SocketAddress]] = set()
        self._sni = {
            route.settings.name: {entry.route for entry in route.settings.sni} for route in routes
        }
        self._bound: dict[int, list[tuple[BoundAddress, str]]] = {}
        for route in routes:
            for bound in filter(None, map(bound_address, route.listening)):
                self._bound.setdefault(bound.port, []).append((bound, route.settings.name))
        for pool in pools.values():
            pool.changed = self.look
        self.look()

    def look(self) -> None:
        """Have backends avoid what leads back.

        Every worker comes to the same result: each link of a ring is avoided, wherever one looks
        first.
        """
        links = {
            (name, target): self._accepting(target)
            for name, pool in self._pools.items()
            for backend in pool.backends
            for target in backend.resolved.sockets
        }
        graph = {name: set(routes) for name, routes in self._sni.items()}
        for (name, _), routes in links.items():
            graph[name] |= routes
        looping = {
            (name, target)
            for (name, target), routes in links.items()
            if any(leads_back(route, name, graph) for route in routes)
        }
        for name, pool in self._pools.items():
            for backend in pool.backends:
                backend.avoid({target for route, target in looping if route == name})
        self._tell(looping)

    def _accepting(self, target: SocketAddress) -> set[str]:
        """Return the routes that accept what is connected to the target."""
        port = -1 if isinstance(target.sockaddr, str) else target.sockaddr[1]
        return {route for bound, route in self._bound.get(port, ()) if reaches(target, bound)}

    def _tell(self, looping: set[tuple[str, SocketAddress]]) -> None:
        for route, target in sorted(looping - self._told, key=str):
            if self._tells:
                structlog.get_logger().warning(
                    "backend_loops",
                    route=route,
                    backend=target.name,
                    remedy="its connections would come back to this route: give another address",
                )
        self._told = looping
