"""What the readers of the counters are told of the routes."""

import os
import time
from collections.abc import Iterable

from spliceproxy.kernel.addresses import name_listener
from spliceproxy.observe.description import (
    BackendDescription,
    Description,
    MirrorDescription,
    RouteDescription,
)
from spliceproxy.proxy.counting import mirror_names
from spliceproxy.proxy.prepared import PreparedRoute
from spliceproxy.upstream.health import judging


def describe(routes: Iterable[PreparedRoute]) -> Description:
    """Describe a proxy that has just started in this process."""
    return Description(
        pid=os.getpid(),
        started=time.time(),
        generation=0,
        draining=False,
        reloads_succeeded=0,
        reloads_refused=0,
        last_reload="",
        routes=tuple(map(describe_route, routes)),
    )


def describe_route(route: PreparedRoute) -> RouteDescription:
    """Describe a route."""
    mirrors = route.settings.mirrors
    judged = judging(route.settings.name, route.settings)
    return RouteDescription(
        name=route.settings.name,
        listeners=tuple(map(name_listener, route.listening)),
        balance=route.settings.balance,
        backends=tuple(
            BackendDescription(
                member.name,
                member.settings.weight,
                member.settings.backup,
                judged.row_name(member.name),
            )
            for member in route.upstreams.members
        ),
        mirrors=tuple(
            MirrorDescription(name, mirror.direction, mirror.overflow, mirror.sample)
            for name, mirror in zip(mirror_names(mirrors), mirrors, strict=True)
        ),
    )
