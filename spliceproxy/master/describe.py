"""What the readers of the counters are told of the routes."""

import os
import time
from collections.abc import Iterable

from spliceproxy.ipc.description import (
    BackendDescription,
    Description,
    MirrorDescription,
    RouteDescription,
)
from spliceproxy.ipc.mirror_orders import mirror_orders_row_name
from spliceproxy.proxy.prepared import PreparedRoute
from spliceproxy.proxy.worker_mirrors import mirror_names
from spliceproxy.settings.attach_grants import written_directory
from spliceproxy.settings.backend import BackendSettings
from spliceproxy.settings.dns import SrvAddress
from spliceproxy.settings.log import LogLevel
from spliceproxy.upstream.health import judging


class ProxyDescriber:
    """Describes a proxy as it is now, with the reloads since it was started in this process."""

    def __init__(self) -> None:
        self._started = time.time()
        self._succeeded = 0
        self._refused = 0
        self._hurried = 0
        self._last_reload = ""
        self._generation: int | None = None
        self._routes: tuple[RouteDescription, ...] = ()

    def reloaded(self, *, hurried: int) -> None:
        """A reload was accepted; so many earlier generations have had to hurry by now."""
        self._succeeded += 1
        self._hurried = hurried
        self._last_reload = ""

    def refused(self, why: str) -> None:
        """A reload was refused."""
        self._refused += 1
        self._last_reload = why

    def describe(
        self,
        routes: Iterable[PreparedRoute],
        *,
        generation: int = 0,
        draining: bool = False,
        log_level: LogLevel = "info",
    ) -> Description:
        """Return the description; the routes of a generation are described only once.

        In a drain its listeners are closed, and have no names any more.
        """
        if generation != self._generation:
            self._generation, self._routes = generation, tuple(map(describe_route, routes))
        return Description(
            pid=os.getpid(),
            started=self._started,
            generation=generation,
            draining=draining,
            reloads_succeeded=self._succeeded,
            reloads_refused=self._refused,
            last_reload=self._last_reload,
            log_level=log_level,
            routes=self._routes,
            generations_hurried=self._hurried,
        )


def describe_route(route: PreparedRoute) -> RouteDescription:
    """Describe a route."""
    mirrors, tls = route.settings.mirrors, route.tls
    judged = judging(route.settings.name, route.settings)
    return RouteDescription(
        name=route.settings.name,
        listeners=route.listeners,
        balance=route.settings.balance,
        backends=tuple(
            BackendDescription(
                member.name,
                member.weight,
                member.settings.backup,
                judged.row_name(member.name),
                judged.orders_row_name(member.name),
            )
            for group in route.upstreams.groups
            if not is_listed(group.settings)
            for member in group.members
        ),
        limit=route.limit,
        mirrors=tuple(
            MirrorDescription(
                name,
                mirror.direction,
                mirror.overflow,
                mirror.sample,
                mirror_orders_row_name(route.settings.name, name),
                directory=written_directory(mirror),
            )
            for name, mirror in zip(mirror_names(mirrors), mirrors, strict=True)
        ),
        certificates={one.path: one.expires_s for one in tls.certificates} if tls else {},
        listed_rules=judged.rules_text if any(map(is_listed, route.settings.backends)) else None,
    )


def is_listed(backend: BackendSettings) -> bool:
    """Whether it stands for backends that come and go."""
    return isinstance(backend.address, SrvAddress)
