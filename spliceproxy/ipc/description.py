"""What a proxy is set up to do, as far as a reader of its counters has to know."""

from dataclasses import dataclass, field

from spliceproxy.settings.log import LogLevel


@dataclass(frozen=True, slots=True)
class BackendDescription:
    """A backend of a route."""

    name: str
    weight: int = 1
    backup: bool = False
    health_row: str = ""
    """The row of the shared table with its health; empty if nobody judges it."""
    orders_row: str = ""
    """The one with the operator's orders."""


@dataclass(frozen=True, slots=True)
class MirrorDescription:
    """A mirror of a route."""

    name: str
    direction: str
    overflow: str
    sample: float
    order_row: str = ""
    """The row of the shared table with what an operator wants of it; empty if it has none."""
    attached: int | None = None
    """Its number, if somebody has attached it while the proxy ran."""
    directory: str = ""
    """What it writes into; empty if it has none."""


@dataclass(frozen=True, slots=True)
class RouteDescription:
    """A route."""

    name: str
    listeners: tuple[str, ...]
    balance: str
    backends: tuple[BackendDescription, ...]
    mirrors: tuple[MirrorDescription, ...]
    listed_rules: str | None = None
    """Where SRV records list backends, how their health is judged: they are not described, since
    they come and go, but found by their rows of the shared table."""
    limit: int | None = None
    """Most connections of all workers together, where settings say so."""
    certificates: dict[str, float] = field(default_factory=dict)
    """Files of those that it shows in TLS, and when they expire, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Description:
    """A proxy, since its last reload."""

    pid: int
    """Of the master."""
    started: float
    """Seconds since 1970."""
    generation: int
    draining: bool
    reloads_succeeded: int
    reloads_refused: int
    last_reload: str
    """Why the last one was refused; empty if it was not."""
    log_level: LogLevel
    routes: tuple[RouteDescription, ...]
    generations_hurried: int = 0
    """How many earlier generations had to end early, as there were too many."""
