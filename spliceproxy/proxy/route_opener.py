"""Opening the routes of a worker: backends, lookups and mirrors, and what its links are made of."""

from spliceproxy.kernel.pipes import PipePool
from spliceproxy.observe.tally import Tally
from spliceproxy.proxy.counting import mirror_names
from spliceproxy.proxy.prepared import PreparedRoute
from spliceproxy.proxy.route import Route, endpoint_maker, link_timeouts, plain_flow
from spliceproxy.pump.reactor import Reactor
from spliceproxy.settings.options import Settings
from spliceproxy.sinks.mirrors import Mirror, Mirrors
from spliceproxy.upstream.lookups import Lookups
from spliceproxy.upstream.names import Names
from spliceproxy.upstream.pool import BackendPool
from spliceproxy.upstream.resolved import Resolved


class RouteOpener:
    """Opens routes one by one, and keeps what has to be looked after for all of them."""

    def __init__(
        self,
        reactor: Reactor,
        settings: Settings,
        tally: Tally,
        pipes: PipePool,
        mirrors: Mirrors | None,
        *,
        worker: int,
    ) -> None:
        """`mirrors` is None where no route has any."""
        self._reactor = reactor
        self._tally = tally
        self._pipes = pipes if settings.splice else None
        self._mirrors = mirrors
        self._worker = worker
        self._names = Names(settings.dns)
        self.pools: list[BackendPool] = []
        self.lookups: list[Lookups] = []
        self.mirror_places: list[Resolved] = []

    def open(self, prepared: PreparedRoute) -> Route:
        """Open a route."""
        mirrors = self._open_mirrors(prepared)
        return Route(
            name=prepared.settings.name,
            backends=self._open_backends(prepared),
            mirrors=mirrors,
            tapping=self._mirrors if mirrors else None,
            make_flow=plain_flow(self._pipes),
            pipes=self._pipes,
            timeouts=link_timeouts(prepared.settings.timeouts),
            make_client=endpoint_maker(self._reactor, prepared.settings.bandwidth),
            make_backend=endpoint_maker(self._reactor, prepared.settings.bandwidth),
        )

    def _open_backends(self, prepared: PreparedRoute) -> BackendPool:
        settings, groups = prepared.settings, prepared.upstreams.groups
        pool = BackendPool(self._reactor, groups, settings, self._tally.table, worker=self._worker)
        self.pools.append(pool)
        self.lookups.append(Lookups(pool, groups, self._names, settings.resolve_interval_s))
        return pool

    def _open_mirrors(self, prepared: PreparedRoute) -> list[Mirror]:
        if self._mirrors is None:
            return []
        configured, addresses = prepared.settings.mirrors, prepared.upstreams.mirrors
        self.mirror_places += filter(None, addresses)
        rows = [
            self._tally.order(prepared.settings.name, name) for name in mirror_names(configured)
        ]
        mirrors = [
            (mirror, None if resolved is None else resolved.targets, row.cells)
            for mirror, resolved, row in zip(configured, addresses, rows, strict=True)
        ]
        return self._mirrors.open(mirrors, prepared.max_sessions)
