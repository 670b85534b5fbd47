"""The counters of a proxy against its log: each is the sum over all connections."""

from collections import Counter
from collections.abc import Sequence

from structlog.typing import EventDict

from spliceproxy.observe.status import RouteStatus, Status

_SUMS = (
    "request_bytes",
    "response_bytes",
    "spliced_bytes",
    "copied_bytes",
    "undelivered_bytes",
)


def check_counters(status: Status, lines: Sequence[EventDict]) -> None:
    """What was counted is what the log tells, route by route, once all connections have ended."""
    assert {line["route"] for line in lines} <= {route.name for route in status.routes}
    for route in status.routes:
        check_route(route, [line for line in lines if line["route"] == route.name])


def check_route(route: RouteStatus, lines: Sequence[EventDict]) -> None:
    assert (route.accepted, route.active, route.mirroring) == (len(lines), 0, 0)
    assert route.ended == Counter(line["reason"] for line in lines)
    assert route.duration_seconds.count == len(lines)
    for key in _SUMS:
        assert getattr(route, key) == sum(line[key] for line in lines), key
    for key in ("request_bytes", "response_bytes"):
        assert sum(getattr(backend, key) for backend in route.backends) == getattr(route, key)
    connected = sum(line["connect_s"] is not None for line in lines)
    assert sum(backend.connections for backend in route.backends) == connected
    assert sum(backend.active for backend in route.backends) == 0
    assert sum(backend.connect_seconds.count for backend in route.backends) == connected
