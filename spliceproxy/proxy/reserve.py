"""Descriptors of a worker that are no connection's, and the least with which a proxy can work."""

from collections.abc import Sequence

from spliceproxy.kernel.limits import INCLUDED_LISTENERS
from spliceproxy.settings.address import TcpAddress
from spliceproxy.settings.proxy import RouteSettings, Settings
from spliceproxy.sinks.kinds import sink_of
from spliceproxy.sinks.mirrors import TAP_PIPES
from spliceproxy.upstream.resolver import needs_lookup

_OF_EVERY_PROCESS = 32
"""Standard streams, logs, epoll sets, shared memory, lines to others: a master and a worker have
15 to 20 (ls /proc/PID/fd), and a lookup takes a few for a moment."""
_MASTERS_OF_WORKER = 4  # its end and orders, and both ends of its line to the admin process
_ADDRESSES_OF_NAME = 2  # as of localhost
_WAKE_UP = 1  # the eventfd of a mirror's threads


def count_listeners(routes: Sequence[RouteSettings]) -> int:
    """How many sockets the routes listen on, before names are looked up: at most two each."""
    addresses = [listen.address for route in routes for listen in route.listen]
    names = sum(
        isinstance(address, TcpAddress) and address.host is not None and needs_lookup(address)
        for address in addresses
    )
    return len(addresses) + names * (_ADDRESSES_OF_NAME - 1)


def count_reserved(routes: Sequence[RouteSettings], listeners: int) -> int:
    """Descriptors of a worker that are kept beside those which every worker keeps."""
    of_mirrors = _count_of_mirrors(routes)
    pipes = 2 * TAP_PIPES if of_mirrors else 0
    return max(0, listeners - INCLUDED_LISTENERS) + of_mirrors + pipes


def least_file_limit(settings: Settings, listeners: int, of_connections: int) -> int:
    """File limit below which some process lacks descriptors, with a connection for each route.

    `of_connections` is what those have together. No pipe is in it: without one a flow copies.
    """
    of_worker = _count_of_mirrors(settings.routes) + of_connections
    of_master = _MASTERS_OF_WORKER * settings.workers
    return _OF_EVERY_PROCESS + listeners + max(of_worker, of_master)


def _count_of_mirrors(routes: Sequence[RouteSettings]) -> int:
    return sum(
        _WAKE_UP + sink_of(mirror).own_descriptors for route in routes for mirror in route.mirrors
    )
