"""What is measured of routes, their backends and their mirrors."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from spliceproxy.admin.metrics.families import Labels, by_label, counter, gauge, histogram
from spliceproxy.observe.status import (
    MIRROR_OFF,
    MIRROR_STATES,
    BackendStatus,
    Gone,
    MirrorStatus,
    RouteStatus,
)

_STATES = ("up", "down", "ejected", "draining", "disabled")


@dataclass(frozen=True, slots=True)
class _Value:
    name: str
    text: str
    field: str
    iscounter: bool = True
    outlasts: bool = True
    """Whether it says something of what is gone."""

    def family(self, labels: Labels) -> CounterMetricFamily | GaugeMetricFamily:
        return (counter if self.iscounter else gauge)(self.name, self.text, labels)


_OF_ROUTE = (
    _Value("connections", "Connections accepted.", "accepted"),
    _Value("connections_active", "Connections that are open.", "active", iscounter=False),
    _Value(
        "connections_limit",
        "Connections that may be open.",
        "limit",
        iscounter=False,
        outlasts=False,
    ),
    _Value(
        "connections_mirroring",
        "Connections that have ended, and whose copies are on their way to mirrors.",
        "mirroring",
        iscounter=False,
    ),
    _Value(
        "connections_untold",
        "Connections without a log line, as their worker was lost after they had ended.",
        "untold",
    ),
    _Value(
        "undelivered_bytes",
        "Bytes taken from one peer and lost with the other.",
        "undelivered_bytes",
    ),
    _Value(
        "splice_starved",
        "Directions of connections that are copied since splice finds nothing of what is there.",
        "starved",
    ),
)
_OF_BACKEND = (
    _Value("backend_connections", "Connections made to a backend.", "connections"),
    _Value("backend_connections_active", "Connections to a backend.", "active", iscounter=False),
    _Value(
        "backend_weight", "Share of the connections.", "weight", iscounter=False, outlasts=False
    ),
)
_OF_MIRROR = (
    _Value(
        "mirror_on",
        "Whether a mirror gets new connections.",
        "is_on",
        iscounter=False,
        outlasts=False,
    ),
    _Value(
        "mirror_sample_ratio",
        "Part of the connections it gets.",
        "sample",
        iscounter=False,
        outlasts=False,
    ),
    _Value("mirror_streams", "Streams that a mirror was given.", "streams"),
    _Value("mirror_streams_active", "Streams that are open.", "open", iscounter=False),
    _Value("mirror_streams_incomplete", "Streams that miss something.", "incomplete"),
    _Value("mirror_offered_bytes", "Bytes that a mirror was to get.", "offered_bytes"),
    _Value("mirror_delivered_bytes", "Bytes that a mirror got.", "delivered_bytes"),
    _Value("mirror_lag_bytes", "Bytes on their way to a mirror.", "lag_bytes", iscounter=False),
    _Value(
        "mirror_connections_left_out",
        "Connections not copied to an attached mirror, for want of descriptors.",
        "left_out",
    ),
    _Value(
        "mirror_records_failed",
        "Records of connections that could not be written.",
        "records_failed",
    ),
    _Value(
        "mirror_answer_bytes",
        "Bytes that a mirror has answered, where answers are recorded.",
        "answer_bytes",
    ),
    _Value("mirror_answer_recorded_bytes", "Bytes of them in a capture.", "answer_recorded_bytes"),
    _Value("mirror_answer_lost_bytes", "Bytes of them lost.", "answer_lost_bytes"),
)


def route_metrics(current: Sequence[RouteStatus], gone: Gone) -> Iterator[Metric]:
    """Metrics of routes."""
    routes = [*current, *gone.routes]
    for value in _OF_ROUTE:
        family = value.family(("route",))
        for route in routes if value.outlasts else current:
            family.add_metric([route.name], getattr(route, value.field))
        yield family
    yield by_label(
        counter("bytes", "Bytes delivered.", ("route", "direction")),
        (((r.name,), {"request": r.request_bytes, "response": r.response_bytes}) for r in routes),
    )
    yield by_label(
        counter("forwarded_bytes", "Bytes delivered, by how they moved.", ("route", "path")),
        (((r.name,), {"splice": r.spliced_bytes, "copy": r.copied_bytes}) for r in routes),
    )
    yield by_label(
        counter("connections_closed", "Connections that have ended.", ("route", "reason")),
        (((r.name,), r.ended) for r in routes),
    )
    yield by_label(
        counter("connections_refused", "Clients turned away at once.", ("route", "reason")),
        (((r.name,), r.refused) for r in routes),
    )
    yield histogram(
        "connection_duration_seconds",
        "How long connections were open.",
        ("route",),
        (((r.name,), r.duration_seconds) for r in routes),
    )


def certificate_metrics(routes: Sequence[RouteStatus], _: Gone) -> Iterator[Metric]:
    """Metrics of the certificates that are shown in TLS."""
    expires = gauge(
        "tls_certificate_expires_timestamp_seconds",
        "When a certificate expires, since 1970.",
        ("route", "file"),
    )
    for route in routes:
        for file, expires_s in route.certificates.items():
            expires.add_metric([route.name, file], expires_s)
    yield expires


def backend_metrics(routes: Sequence[RouteStatus], gone: Gone) -> Iterator[Metric]:
    """Metrics of backends."""
    labels = ("route", "backend")
    current: list[tuple[Labels, BackendStatus]] = [
        ((route.name, backend.name), backend) for route in routes for backend in route.backends
    ]
    all_of_them = [*current, *gone.backends]
    for value in _OF_BACKEND:
        family = value.family(labels)
        for names, backend in all_of_them if value.outlasts else current:
            family.add_metric(names, getattr(backend, value.field))
        yield family
    up = gauge("backend_up", "Whether a backend gets connections.", labels)
    for names, backend in current:
        up.add_metric(names, float(backend.state == "up"))
    yield up
    yield by_label(
        gauge("backend_state", "1 for the state that a backend is in.", (*labels, "state")),
        (
            (names, {one: int(one == backend.state) for one in _STATES})
            for names, backend in current
        ),
    )
    yield by_label(
        counter("backend_bytes", "Bytes delivered to or by a backend.", (*labels, "direction")),
        (
            (names, {"request": backend.request_bytes, "response": backend.response_bytes})
            for names, backend in all_of_them
        ),
    )
    yield by_label(
        counter("backend_connect_errors", "Connects that failed.", (*labels, "reason")),
        ((names, backend.failed) for names, backend in all_of_them),
    )
    yield by_label(
        counter("backend_transitions", "How often a backend changed its state.", (*labels, "to")),
        ((names, backend.transitions) for names, backend in all_of_them),
    )
    yield histogram(
        "backend_connect_seconds",
        "From a client's arrival until its backend answered.",
        labels,
        ((names, backend.connect_seconds) for names, backend in all_of_them),
    )


def mirror_metrics(routes: Sequence[RouteStatus], gone: Gone) -> Iterator[Metric]:
    """Metrics of mirrors."""
    labels = ("route", "mirror")
    current: list[tuple[Labels, MirrorStatus]] = [
        ((route.name, mirror.name), mirror) for route in routes for mirror in route.mirrors
    ]
    all_of_them = [*current, *gone.mirrors]
    for value in _OF_MIRROR:
        family = value.family(labels)
        for names, mirror in all_of_them if value.outlasts else current:
            family.add_metric(names, getattr(mirror, value.field))
        yield family
    yield by_label(
        gauge("mirror_state", "1 for the state that a mirror is in.", (*labels, "state")),
        ((names, _states_of(mirror)) for names, mirror in current),
    )
    yield by_label(
        counter("mirror_dropped_bytes", "Bytes that a mirror did not get.", (*labels, "reason")),
        ((names, mirror.dropped) for names, mirror in all_of_them),
    )


def _states_of(mirror: MirrorStatus) -> dict[str, int]:
    now = mirror.state if mirror.is_on else MIRROR_OFF
    return {state: int(state == now) for state in MIRROR_STATES}
