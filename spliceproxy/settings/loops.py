"""Routes whose connections would come back to them, as far as the settings alone tell."""

import os
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv6Address, ip_address
from typing import Any

from spliceproxy.errors import quote
from spliceproxy.settings.address import TcpAddress, UnixAddress
from spliceproxy.settings.listen_address import ListenAddress
from spliceproxy.settings.proxy import RouteSettings
from spliceproxy.settings.reach import Path

_LOOPBACK = ("127.0.0.1", "::1")
# RFC 6761, section 6.3: localhost is loopback. Connecting to no address connects to loopback, too.
_MEANINGS = {"localhost": _LOOPBACK, "0.0.0.0": ("127.0.0.1",), "::": ("::1",)}  # noqa: S104
_EVERY_IPV4, _EVERY_IPV6 = "0.0.0.0", "::"  # noqa: S104 - compared, not listened on

Graph = Mapping[str, set[str]]
"""Which routes a route's connections go on to."""

_Accepting = dict[int | None, list[tuple[ListenAddress, str]]]
"""Listeners with the names of their routes, by port."""


def find_loops(routes: Sequence[RouteSettings]) -> Iterator[tuple[int, Path, str]]:
    """Return what is wrong: the route's number, the path within it, and a message.

    A route may lead to another one's listener, but not to one whose connections come back.
    """
    accepting = _index(routes)
    links = [_links(route, accepting) for route in routes]
    graph = {
        route.name: {entry.route for entry in route.sni}.union(*(names for *_, names in its))
        for route, its in zip(routes, links, strict=True)
    }
    for number, (route, its) in enumerate(zip(routes, links, strict=True)):
        for path, text, names in its:
            if any(leads_back(name, route.name, graph) for name in names):
                what = f"{quote(text)} is listened on by this proxy and leads back to this route"
                yield number, path, f"{what}: connections would go round for ever"


def leads_back(start: str, route: str, graph: Graph) -> bool:
    """Whether connections of the one route get to the other, or it is the same."""
    seen, to_see = set[str](), [start]
    while to_see:
        name = to_see.pop()
        if name == route:
            return True
        if name not in seen:
            seen.add(name)
            to_see += graph.get(name, ())
    return False


def _index(routes: Sequence[RouteSettings]) -> _Accepting:
    accepting: _Accepting = {}
    for route in routes:
        for listen in route.listen:
            port = _port(listen.address)
            if port != 0:  # which the kernel chooses: no backend's port can be meant to be that
                accepting.setdefault(port, []).append((listen.address, route.name))
    return accepting


def _port(address: ListenAddress) -> int | None:
    return address.port if isinstance(address, TcpAddress) else None


def _links(route: RouteSettings, accepting: _Accepting) -> list[tuple[Path, str, set[str]]]:
    """Return where the route connects to: path, text, and the routes that accept there."""
    targets: list[tuple[Path, Any]] = [
        (("backends", index, "address"), backend.address)
        for index, backend in enumerate(route.backends)
    ]
    targets += [(("mirrors", index), mirror.address) for index, mirror in enumerate(route.mirrors)]
    return [
        (path, str(address), _find_accepting(address, accepting))
        for path, address in targets
        if isinstance(address, TcpAddress | UnixAddress)
    ]


def _find_accepting(address: TcpAddress | UnixAddress, accepting: _Accepting) -> set[str]:
    candidates = accepting.get(_port(address), ())
    return {name for listen, name in candidates if _covers(listen, address)}


def _covers(listen: ListenAddress, address: TcpAddress | UnixAddress) -> bool:
    if isinstance(listen, UnixAddress) and isinstance(address, UnixAddress):
        if listen.is_abstract or address.is_abstract:
            return listen == address
        return os.path.normpath(listen.path) == os.path.normpath(address.path)
    if not isinstance(listen, TcpAddress) or not isinstance(address, TcpAddress):
        return False
    if listen.port != address.port:
        return False
    hosts = _meaning(address.host or "")
    if listen.host in (None, _EVERY_IPV4, _EVERY_IPV6):
        return any(_is_loopback(host) and _is_of(listen.host, host) for host in hosts)
    return not set(hosts).isdisjoint(_meaning(listen.host or ""))


def _meaning(host: str) -> tuple[str, ...]:
    name = host.removesuffix(".")
    if name.startswith("::ffff:"):
        mapped = IPv6Address(name).ipv4_mapped
        return (name,) if mapped is None else (str(mapped),)
    return _MEANINGS.get(name, (name,))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name
        return False


def _is_of(everywhere: str | None, host: str) -> bool:
    """Whether a listener of every address has those of this family."""
    return everywhere is None or (everywhere == _EVERY_IPV6) == (":" in host)
