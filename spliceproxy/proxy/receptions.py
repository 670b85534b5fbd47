"""The receptions of a worker's routes: who receives clients, and where they may go."""

from collections.abc import Sequence

from spliceproxy.loop.reactor import Reactor
from spliceproxy.proxy.frontend import Frontend
from spliceproxy.proxy.prepared import PreparedRoute
from spliceproxy.proxy.reception import Reception, needs_reception
from spliceproxy.proxy.refusals import Refusals


def open_receptions(
    reactor: Reactor, routes: Sequence[PreparedRoute], frontends: Sequence[Frontend]
) -> None:
    """Give a reception to each route that has something to decide about its clients."""
    names = [route.settings.name for route in routes]
    destinations = dict(zip(names, frontends, strict=True))
    for route, frontend in zip(routes, frontends, strict=True):
        if needs_reception(route.settings):
            refusals = Refusals(reactor, route.settings.name, frontend.counting.route.refused.add)
            frontend.reception = Reception(
                reactor, route.settings, frontend, destinations, refusals
            )
