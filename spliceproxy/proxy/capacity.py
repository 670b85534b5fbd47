"""How many connections each route may have within the file limit; how much memory mirrors may."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from spliceproxy.errors import StartProblem
from spliceproxy.kernel import limits
from spliceproxy.kernel.memory import usable_memory_bytes
from spliceproxy.proxy.reserve import count_reserved, least_file_limit
from spliceproxy.settings.proxy import RouteSettings, Settings
from spliceproxy.sinks.mirrors import count_descriptors

_SOCKETS = 2  # of a connection

_ATTACHED_DESCRIPTORS = 64
"""Kept for streams to mirrors that somebody attaches by the admin interface, where there is one;
an eighth of all at most."""

_MEMORY_SHARE = 8  # for mirrors of all workers; during a reload the older ones have as much again
_MOST_BUDGET_BYTES = 1 << 30
"""More is no burst: a mirror of a gigabyte a second is a second behind by then."""


def mirror_budget_bytes(settings: Settings) -> int:
    """Return how much the mirrors of a worker may hold."""
    if settings.mirror_budget_bytes is not None:
        return settings.mirror_budget_bytes
    fair = usable_memory_bytes() // _MEMORY_SHARE // settings.workers
    return min(fair, _MOST_BUDGET_BYTES)


@dataclass(frozen=True, slots=True)
class Capacity:
    """The file limit of a worker, and the most connections of each of its routes."""

    nofile: int
    max_connections: tuple[int, ...]


def raise_limit(settings: Settings, listeners: int) -> None:
    """Raise the file limit if that is wanted, before so many listeners are opened.

    What else is kept open for as long, such as logs of TLS keys, counts as listeners do.

    Raises:
        StartProblem: even so a route would get no connection.
    """
    if settings.raise_nofile:
        limits.raise_file_limit(file_limit_wanted(settings, listeners))
    check_limit(settings, listeners)


def check_limit(settings: Settings, listeners: int) -> None:
    """Make sure that each route can have a connection.

    Raises:
        StartProblem: the file limit is too low.
    """
    nofile = limits.file_limit()
    if not any(fit(settings, listeners, nofile)):
        raise StartProblem(
            f"the file limit of {nofile} leaves no connections beside {listeners} listeners",
            f"raise it to {file_limit_wanted(settings, listeners)} or more (ulimit -n, or "
            "LimitNOFILE= of systemd), or see what spliceproxy check --limits tells",
        )


def fit_routes(settings: Settings, listeners: int) -> Capacity:
    """Share the file limit among the routes, and tell of those that get less than they ask for."""
    nofile = limits.file_limit()
    most = fit(settings, listeners, nofile)
    for route, connections in zip(settings.routes, most, strict=True):
        if route.max_connections is not None and route.max_connections > connections:
            structlog.get_logger().warning(
                "max_connections_lowered",
                route=route.name,
                wanted=route.max_connections,
                fit=connections,
                remedy=f"raise the file limit to {file_limit_wanted(settings, listeners)} "
                "(ulimit -n)",
            )
    return Capacity(nofile, most)


def fit(settings: Settings, listeners: int, nofile: int) -> tuple[int, ...]:
    """Most connections of each route within a file limit.

    None at all where processes and listeners need all of it. Above that, and below what
    connections and their pipes should have, a route has one.
    """
    routes = settings.routes
    each = [need if route.listen else 0 for route, need in _needs(routes)]
    if nofile < least_file_limit(settings, listeners, sum(each)):
        return (0,) * len(routes)
    left = max(0, limits.descriptors_left(nofile) - count_reserved(routes, listeners))
    if settings.admin.listen:
        left -= min(_ATTACHED_DESCRIPTORS, left // 8)
    room = max(left, sum(each))
    most = share(routes, left)
    while left and (over := _used(routes, most) - room) > 0:  # by the one that each has at least
        left = max(0, left - over)
        most = share(routes, left)
    return most


def file_limit_wanted(settings: Settings, listeners: int) -> int:
    """File limit of a worker with which all connections that the routes ask for fit."""
    asked = sum(
        (route.max_connections or 1) * need
        for route, need in _needs(settings.routes)
        if route.listen
    )
    attached = _ATTACHED_DESCRIPTORS if settings.admin.listen else 0
    reserved = count_reserved(settings.routes, listeners)
    least = least_file_limit(settings, listeners, asked)
    return max(least, limits.file_limit_for(asked + attached + reserved))


def spare_descriptors(
    routes: Sequence[RouteSettings], max_connections: Sequence[int], listeners: int, nofile: int
) -> int:
    """How many descriptors of a worker are left when each route has all its connections."""
    left = limits.descriptors_left(nofile) - count_reserved(routes, listeners)
    return left - _used(routes, max_connections)


def share(routes: Sequence[RouteSettings], descriptors: int) -> tuple[int, ...]:
    """Most connections of each route: what it asks for, or an equal part of the rest.

    At least one each, so that a tiny limit still serves. Where all that is asked for does not
    fit, everybody gets less by the same factor.
    """
    each = _descriptors(routes)
    asked = [(route.max_connections or 0) * need for route, need in zip(routes, each, strict=True)]
    total = sum(asked)
    rest = max(0, descriptors - total)
    others = sum(route.max_connections is None for route in routes if route.listen)
    fit = []
    for route, need, of_one in zip(routes, asked, each, strict=True):
        if route.max_connections is None:
            part = rest // max(1, others)
        else:
            part = need if total <= descriptors else need * descriptors // total
        fit.append(max(1, part // of_one) if route.listen else 0)
    return tuple(fit)


def max_sessions(routes: Sequence[RouteSettings], max_connections: Sequence[int]) -> list[int]:
    """Most connections that each route may get: by its own listeners, and from other routes."""
    most = Counter[str]()
    for route, own in zip(routes, max_connections, strict=True):
        for name in _leads_to(route):
            most[name] += own
    return [most[route.name] for route in routes]


def proxy_limits(routes: Sequence[RouteSettings]) -> list[int | None]:
    """Most connections that each route may get in all workers together; None: no setting says."""
    asked = max_sessions(routes, [route.max_connections or 0 for route in routes])
    boundless = {
        name
        for route in routes
        if route.listen and route.max_connections is None
        for name in _leads_to(route)
    }
    return [
        None if route.name in boundless else most for route, most in zip(routes, asked, strict=True)
    ]


def _used(routes: Sequence[RouteSettings], connections: Sequence[int]) -> int:
    return sum(own * need for own, (_, need) in zip(connections, _needs(routes), strict=True))


def _needs(routes: Sequence[RouteSettings]) -> list[tuple[RouteSettings, int]]:
    return list(zip(routes, _descriptors(routes), strict=True))


def _descriptors(routes: Sequence[RouteSettings]) -> list[int]:
    """Most descriptors of a connection that a route accepts, whichever route takes it."""
    mirrored = {route.name: count_descriptors(route.mirrors) for route in routes}
    return [_SOCKETS + max(mirrored[name] for name in _leads_to(route)) for route in routes]


def _leads_to(route: RouteSettings) -> set[str]:
    return {route.name, *(entry.route for entry in route.sni)}
