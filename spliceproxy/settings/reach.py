"""Which routes a connection can get to: from a listener, or from another route by `sni`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from spliceproxy.errors import quote, suggest
from spliceproxy.settings.proxy import RouteSettings

_MOST_SUGGESTIONS = 20  # looking for one takes 10 us for each route

Path = tuple[str | int, ...]

ACCEPTING = (
    "backlog",
    "max_connections",
    "rate",
    "per_client",
    "allow",
    "deny",
    "unknown_clients",
    "accept_proxy",
    "trusted",
    "sni",
)
"""Keys that concern only what a route's own listeners accept."""


@dataclass(frozen=True, slots=True)
class Outline:
    """A route, as far as it matters for how it is reached."""

    name: str
    keys: frozenset[str]
    """What it says itself, without defaults."""
    targets: tuple[str, ...]
    """The routes that its `sni` leads to; empty texts for those that cannot be read."""

    @classmethod
    def of(cls, route: RouteSettings) -> "Outline":
        """Return a route's outline. A program may give what has no effect."""
        keys = {name for name in ("listen", "backends") if getattr(route, name)}
        return cls(route.name, frozenset(keys), tuple(entry.route for entry in route.sni))


def find_dead_ends(routes: Sequence[Outline]) -> Iterator[tuple[int, Path, str]]:
    """Return what is wrong: the route's number, the path within it, and a message."""
    by_name = {route.name: route for route in routes}
    led_to = {target for route in routes if "listen" in route.keys for target in route.targets}
    wrong = list(_find_wrong_targets(routes, by_name))
    yield from wrong
    for number, route in enumerate(routes):
        if "backends" not in route.keys and not route.targets:
            yield number, ("backends",), "is missing"
        if "listen" not in route.keys:
            if route.name not in led_to and not wrong:  # else it may follow from what is wrong
                what = "is missing, and no other route's 'sni' leads here: expected one of them"
                yield number, ("listen",), what
            for key in ACCEPTING:
                if key in route.keys:
                    what = "has no effect without 'listen': expected it in the route that accepts"
                    yield number, (key,), what


def find_idle_mirrors(routes: Sequence[RouteSettings]) -> Iterator[tuple[int, Path, str]]:
    """Return mirrors for server names where no connection has one, as `find_dead_ends` does.

    A name is known where `sni` has read it, be it to lead to another route.
    """
    led_to = {entry.route for route in routes for entry in route.sni}
    for number, route in enumerate(routes):
        if route.sni or route.name in led_to:
            continue
        for index, mirror in enumerate(route.mirrors):
            if mirror.server_names:
                what = (
                    "no connection has a server name here, and so the mirror would get none: "
                    "expected 'sni' in this route, or in one that leads here"
                )
                yield number, ("mirrors", index, "server_names"), what


def _find_wrong_targets(
    routes: Sequence[Outline], by_name: dict[str, Outline]
) -> Iterator[tuple[int, Path, str]]:
    unknown = 0
    for number, route in enumerate(routes):
        for index, target in enumerate(route.targets):
            if target and target not in by_name:
                unknown += 1
                what = f"route {quote(target)} is not known"
                if unknown <= _MOST_SUGGESTIONS:
                    what += suggest(target, by_name.keys() - {route.name})
                what += ": expected the name of another route"
            else:
                what = _wrong_target(route, target, by_name)
            if what:
                yield number, ("sni", index, "route"), what


def _wrong_target(route: Outline, target: str, by_name: dict[str, Outline]) -> str:
    if target == route.name:
        return f"{quote(target)} is this route itself: expected another one"
    if target and by_name[target].targets:
        return f"{quote(target)} has 'sni' itself: expected a route without it"
    return ""
