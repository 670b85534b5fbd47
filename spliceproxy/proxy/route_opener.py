"""Opening the routes of a worker: backends, lookups and mirrors, and what its links are made of."""

from functools import partial

from spliceproxy.ipc.rows import Kind
from spliceproxy.kernel.pipes import PipePool
from spliceproxy.loop.reactor import Reactor
from spliceproxy.observe.tally import Tally
from spliceproxy.proxy.prepared import PreparedRoute
from spliceproxy.proxy.route import Route, plain_flow
from spliceproxy.proxy.route_limits import endpoint_makers
from spliceproxy.proxy.worker_mirrors import WorkerMirrors
from spliceproxy.settings.proxy import Settings
from spliceproxy.tls.dialer import TlsDialer
from spliceproxy.tls.handshake_turns import HandshakeTurns
from spliceproxy.tls.route_tls import RouteTls
from spliceproxy.upstream.lookups import Lookups
from spliceproxy.upstream.pool import BackendPool
from spliceproxy.upstream.resolved import Resolved
from spliceproxy.upstream.resolver import Resolver


class RouteOpener:
    """Opens routes one by one, and keeps what has to be looked after for all of them."""

    def __init__(
        self,
        reactor: Reactor,
        settings: Settings,
        tally: Tally,
        pipes: PipePool,
        mirrors: WorkerMirrors,
        turns: HandshakeTurns,
        *,
        worker: int,
    ) -> None:
        self._reactor = reactor
        self._turns = turns
        self._tally = tally
        self._pipes = pipes if settings.splice else None
        self._mirrors = mirrors
        self._worker = worker
        self._resolver = Resolver(settings.dns)
        self.pools: list[BackendPool] = []
        self.lookups: list[Lookups] = []
        self.mirror_targets: list[Resolved] = []

    def open(self, prepared: PreparedRoute) -> Route:
        """Open a route."""
        mirrors = self._mirrors.open(prepared, self._tally, self._turns)
        limited = (self._reactor, prepared.settings, self._tally)
        self.mirror_targets += filter(None, prepared.upstreams.mirrors)
        return Route(
            name=prepared.settings.name,
            max_connections=prepared.max_sessions,
            backends=self._open_backends(prepared),
            mirrors=mirrors,
            vital=[mirror for mirror in mirrors if mirror.settings.is_vital],
            tapping=self._mirrors.shared if mirrors else None,
            make_flow=plain_flow(self._pipes),
            pipes=self._pipes,
            timeouts=prepared.settings.timeouts,
            client_makers=endpoint_makers(*limited, "request"),
            backend_makers=endpoint_makers(*limited, "response"),
        )

    def _open_backends(self, prepared: PreparedRoute) -> BackendPool:
        settings, groups = prepared.settings, prepared.upstreams.groups
        tally = self._tally
        pool = BackendPool(
            self._reactor,
            groups,
            settings,
            tally.table,
            partial(self._count_transition, settings.name),
            slot=tally.slot,
            worker=self._worker,
            tls=self._dialers(prepared.tls),
        )
        self.pools.append(pool)
        self.lookups.append(Lookups(pool, groups, self._resolver, settings.resolve_interval_s))
        return pool

    def _dialers(self, tls: RouteTls | None) -> list[TlsDialer | None] | None:
        if tls is None:
            return None
        return [
            None if client is None else TlsDialer(self._reactor, self._turns, client)
            for client in tls.backends
        ]

    def _count_transition(self, route: str, backend: str, cell: int) -> None:
        self._tally.cells(Kind.BACKEND, route, backend)[cell] += 1
