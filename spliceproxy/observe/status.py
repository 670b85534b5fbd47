"""What a proxy is doing at one moment: read from the shared table, summed over its workers.

The one source of the metrics, the status page, `top` and the statistics socket. Plain values
with the keys that the JSON of the admin interface has.
"""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class Histogram:
    """How many took how long."""

    counts: list[int] = field(default_factory=list)
    """By bucket; see `spliceproxy.ipc.rows.bucket_bound_us` for their bounds."""
    sum_s: float = 0.0

    @property
    def count(self) -> int:
        """How many in all."""
        return sum(self.counts)


@dataclass(slots=True)
class WorkerStatus:
    """A worker process."""

    slot: int
    number: int
    generation: int
    pid: int
    state: str
    """``serving`` or ``draining``."""
    started: float
    """Seconds since 1970."""
    heartbeat_age_s: float
    connections: int
    pipes_in_use: int
    pipes_idle: int
    pipes_bytes: int
    mirror_pipes_in_use: int
    mirror_pipes_idle: int
    mirror_pipes_bytes: int
    mirror_held_bytes: int
    """Copies that wait for all mirrors of the worker."""
    mirror_budget_bytes: int
    """As much may wait; 0: it has no mirror."""
    batches: int
    batch_seconds: Histogram


@dataclass(slots=True)
class BackendStatus:
    """A backend of a route."""

    name: str
    state: str
    """``up``, ``down``, ``ejected``, ``draining`` or ``disabled``."""
    reason: str
    weight: int
    backup: bool
    active: int = 0
    connections: int = 0
    request_bytes: int = 0
    response_bytes: int = 0
    connect_seconds: Histogram = field(default_factory=Histogram)
    failed: dict[str, int] = field(default_factory=dict)
    """Connects that failed, by reason."""
    transitions: dict[str, int] = field(default_factory=dict)
    """How often it came to be ``up``, ``down`` or ``ejected``, as the log tells of it."""


MIRROR_OFF = "off"
MIRROR_STATES = ("ok", "behind", "failing", MIRROR_OFF)
"""One that is attached is ``closing`` and then ``over`` after that."""


@dataclass(slots=True)
class MirrorStatus:
    """A mirror of a route."""

    name: str
    direction: str
    overflow: str
    sample: float
    """What is copied now; an operator may have changed it."""
    state: str
    """``ok``, ``behind``, ``failing`` or ``off``; of one that is attached and has ended ``closing``
    or ``over``."""
    reason: str = ""
    """Why it is behind or failing."""
    since: float = 0.0
    """When it began to be so: seconds since 1970; 0 where no worker has said so yet."""
    attached: int | None = None
    """Its number, if somebody has attached it while the proxy ran."""
    streams: int = 0
    open: int = 0
    incomplete: int = 0
    offered_bytes: int = 0
    delivered_bytes: int = 0
    dropped_bytes: int = 0
    lag_bytes: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    """Bytes by reason."""
    left_out: int = 0
    """Connections that are not copied to it though they should be: there was no room for them."""
    records_failed: int = 0
    """Records of connections that could not be written."""
    answer_bytes: int = 0
    """That its peer has answered, where that is recorded."""
    answer_recorded_bytes: int = 0
    answer_lost_bytes: int = 0

    @property
    def is_on(self) -> bool:
        """Whether new connections are copied to it, or would be if it worked."""
        return self.state in MIRROR_STATES and self.state != MIRROR_OFF

    @property
    def is_alive(self) -> bool:
        """Whether anything is copied to it, or may be."""
        return self.state != "over"


@dataclass(slots=True)
class RouteStatus:
    """A route."""

    name: str
    listeners: list[str]
    balance: str
    backends: list[BackendStatus]
    mirrors: list[MirrorStatus]
    accepted: int = 0
    active: int = 0
    limit: int = 0
    """Most connections of all workers together."""
    mirroring: int = 0
    """Ended, with copies on their way to mirrors."""
    untold: int = 0
    """Ended like that, when their worker was lost: the log has no line of them."""
    request_bytes: int = 0
    response_bytes: int = 0
    spliced_bytes: int = 0
    copied_bytes: int = 0
    undelivered_bytes: int = 0
    starved: int = 0
    """Directions of connections that are copied since splice finds nothing of what is there."""
    duration_seconds: Histogram = field(default_factory=Histogram)
    ended: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    certificates: dict[str, float] = field(default_factory=dict)
    """Files of those that it shows in TLS, and when they expire, in seconds since 1970."""


@dataclass(slots=True)
class Status:
    """A proxy."""

    version: str
    pid: int
    """Of the master."""
    started: float
    """Seconds since 1970."""
    generation: int
    draining: bool
    reloads: dict[str, int]
    """How many, by ``success`` and ``failure``."""
    last_reload: str
    """Why the last one was refused; empty if it was not."""
    log_level: str
    workers: list[WorkerStatus]
    routes: list[RouteStatus]
    shared_rows: int = 0
    """Of the shared table that have names."""
    shared_rows_limit: int = 0
    """As many rows there are."""
    shared_rows_refused: int = 0
    """Names that got no row, and so are not shared or not told of."""
    generations_hurried: int = 0
    """How many earlier generations had to end early, as there were too many."""
    worker_restarts: dict[str, int] = field(default_factory=dict)
    """Workers that ended without having been told to: ``killed``, ``crashed``, ``hung``."""
    admin_restarts: int = 0
    log_lines_dropped: dict[str, int] = field(default_factory=dict)
    """By ``master``, ``admin`` and ``worker``."""

    def as_json(self) -> dict[str, Any]:
        """Return it as values that JSON knows."""
        return asdict(self)

    @property
    def active(self) -> int:
        """Open connections."""
        return sum(route.active for route in self.routes)


@dataclass(slots=True)
class Gone:
    """What is counted of routes, backends and mirrors that are no more; a day later it is not.

    Their names are those of the shared table, where long ones are cut.
    """

    routes: list[RouteStatus] = field(default_factory=list)
    backends: list[tuple[tuple[str, str], BackendStatus]] = field(default_factory=list)
    """With the route."""
    mirrors: list[tuple[tuple[str, str], MirrorStatus]] = field(default_factory=list)
    """With the route."""
