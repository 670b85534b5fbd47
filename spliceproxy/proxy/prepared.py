"""What a route needs before its first connection: looked up once, for all workers."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spliceproxy.errors import UsageProblem
from spliceproxy.kernel.addresses import name_listener
from spliceproxy.proxy.capacity import Capacity, max_sessions, proxy_limits
from spliceproxy.settings.answer_captures import find_lost_answers
from spliceproxy.settings.loops import find_loops
from spliceproxy.settings.proxy import RouteSettings, Settings
from spliceproxy.settings.reach import Outline, find_dead_ends, find_idle_mirrors
from spliceproxy.sinks.checks import check_mirrors
from spliceproxy.tls.client_context import ClientContexts
from spliceproxy.tls.key_log import opened_key_log
from spliceproxy.tls.route_tls import RouteTls, RouteTlsFiles, make_route_tls
from spliceproxy.upstream.group import Group, Member, find_groups
from spliceproxy.upstream.resolved import Resolved, resolve_mirrors
from spliceproxy.upstream.resolver import Resolver


@dataclass(frozen=True, slots=True)
class Upstreams:
    """Where a route's connections and copies go."""

    groups: list[Group]
    """What each entry of the backends stands for at the start."""
    mirrors: list[Resolved | None]

    @property
    def members(self) -> list[Member]:
        """The backends at the start."""
        return [member for group in self.groups for member in group.members]


@dataclass(frozen=True, slots=True)
class PreparedRoute:
    """A route that workers can serve."""

    settings: RouteSettings
    upstreams: Upstreams
    listening: list[socket.socket]
    max_connections: int
    """That its own listeners may have open."""
    max_sessions: int
    """With those that other routes hand to it."""
    limit: int | None
    """The same in all workers together, where settings say so."""
    listeners: tuple[str, ...]
    """The names of the sockets, also when they are closed."""
    tls: RouteTls | None
    """For each of the sockets, and each entry of the backends; None: no TLS at all."""

    def describe(self) -> dict[str, Any]:
        """Return what the start line tells."""
        return {
            "name": self.settings.name,
            "listeners": list(self.listeners),
            "backends": [member.name for member in self.upstreams.members],
            "mirrors": [mirror.text for mirror in self.settings.mirrors],
            "max_connections": self.max_sessions,
        }


def look_up(settings: Settings) -> list[Upstreams]:
    """Check how routes lead to one another, and the mirrors; resolve all names. Blocks.

    Raises:
        UsageProblem: a route cannot be reached, or leads nowhere, or back to itself; a mirror
            cannot work, such as one whose directory is another's too.
        StartProblem: a name does not resolve.
    """
    _refuse_dead_ends(settings.routes)
    resolver = Resolver(settings.dns)
    strict = settings.strict_names
    upstreams = [
        Upstreams(
            find_groups(route.backends, resolver, strict=strict),
            resolve_mirrors(route.mirrors, strict=strict),
        )
        for route in settings.routes
    ]
    check_mirrors(mirror for route in settings.routes for mirror in route.mirrors)
    return upstreams


def _refuse_dead_ends(routes: Sequence[RouteSettings]) -> None:
    """Say what a routes file would be refused for, of settings that come from no file."""
    wrong = [*find_dead_ends([Outline.of(route) for route in routes]), *find_loops(routes)]
    wrong += [*find_idle_mirrors(routes), *find_lost_answers(routes)]
    for number, path, what in wrong:
        key = ".".join(map(str, path))
        raise UsageProblem(f"route {routes[number].name!r}: {key}: {what}", "see the routes")


def make_tls(
    settings: Settings,
    files: Sequence[RouteTlsFiles | None],
    entries: Sequence[Sequence[int]],
) -> list[RouteTls | None]:
    """Return what each route speaks TLS with, for each of its sockets by the entry of `listen`.

    Raises:
        StartProblem: OpenSSL refuses what was read, or nobody can log its keys.
    """
    made = []
    with opened_key_log(settings.tls_key_log if any(files) else None) as key_log:
        contexts = ClientContexts(key_log)
        for route, its_files, its_entries in zip(settings.routes, files, entries, strict=True):
            tls = None if its_files is None else make_route_tls(route, its_files, contexts)
            made.append(None if tls is None else tls.of_sockets(its_entries))
    return made


def prepare(
    routes: Sequence[RouteSettings],
    upstreams: Sequence[Upstreams],
    listening: Sequence[list[socket.socket]],
    capacity: Capacity,
    tls: Sequence[RouteTls | None],
) -> list[PreparedRoute]:
    """Return the routes with all that belongs to them."""
    most = capacity.max_connections
    parts = zip(
        routes,
        upstreams,
        listening,
        most,
        max_sessions(routes, most),
        proxy_limits(routes),
        (tuple(map(name_listener, sockets)) for sockets in listening),
        tls,
        strict=True,
    )
    return [PreparedRoute(*part) for part in parts]
