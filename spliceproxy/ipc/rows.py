"""The rows of the shared table: which there are, what their cells count, how they are named.

Each worker has a slot, and rows of its own by that. A worker that takes over the slot of one
that ended goes on counting in its rows; so a sum over the slots never goes backwards.

The numbers of cells are plain ones: as members of an enumeration they would double the cost of an
addition, of which each connection takes some thirty.
"""

from enum import IntEnum, StrEnum
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from spliceproxy.ipc.table_memory import MAX_HOLDERS, MAX_NAME_BYTES

TABLE_ROWS = 20_000
"""Bounds what many routes, backends and reasons take: 16 MiB, if ever all of them are used."""
WORKER_ROWS = MAX_HOLDERS
"""Beyond those: a worker is heard of by its row, however many others there are."""

_SEPARATOR = "\t"
_MAX_LABEL_BYTES = 72  # four of them fit
_HASH_BYTES = 6


class Kind(StrEnum):
    """What a worker's row is about; in its name its slot and labels follow."""

    WORKER = "worker"
    ROUTE = "route"
    """Of a route."""
    ENDED = "ended"
    """Connections of a route by the reason of their end."""
    REFUSED = "refused"
    """Clients that a route has turned away at once, by the reason."""
    BACKEND = "backend"
    """Of a route's backend."""
    FAILED = "failed"
    """Connects to a route's backend that failed, by the reason."""
    MIRROR = "mirror"
    """Of a route's mirror."""
    DROPPED = "dropped"
    """Bytes that a route's mirror did not get, by the reason."""


_KINDS = frozenset(kind.value for kind in Kind)


class CommonKind(StrEnum):
    """Rows that are no single worker's; the labels follow the kind at once."""

    HEALTH = "health"
    """Of a route's backend, by what its health hangs on."""
    BACKEND_ORDERS = "backend_orders"
    MIRROR_ORDERS = "mirror_orders"
    ATTACHMENT_NUMBERS = "attachment_numbers"
    """The one with the last number that an attachment was given."""
    COUNT = "count"
    """What workers have of something that is limited, each in the cell of its slot."""
    METER = "meter"
    """What workers have let through of something that has a rate, likewise."""
    MASTER = "master"
    """The one of master and admin process."""


class WorkerCell:
    """Cells of a worker's row."""

    PID = 0
    GENERATION = 1
    NUMBER = 2
    STATE = 3
    STARTED_US = 4  # by the clock on the wall
    HEARTBEAT_US = 5  # by CLOCK_MONOTONIC, which all processes share
    PIPES_IN_USE = 6
    PIPES_IDLE = 7
    PIPES_BYTES = 8
    BATCHES = 9
    BATCHES_US = 10
    BATCH_BUCKETS = 11  # and those that follow: see `BUCKETS`
    MIRROR_HELD_BYTES = 28
    MIRROR_BUDGET_BYTES = 29
    MIRROR_PIPES_IN_USE = 30
    MIRROR_PIPES_IDLE = 31
    MIRROR_PIPES_BYTES = 32
    LOG_LINES_PENDING = 33  # taken, and not written yet; see `LineCell`
    LOG_LINES_DROPPED = 34


class WorkerState(IntEnum):
    """What a worker's row says of it."""

    FREE = 0
    SERVING = 1
    DRAINING = 2


class LineCell:
    """Cells of the log lines of a process, counted from the first of the two."""

    PENDING = 0
    DROPPED = 1


class MasterCell:
    """Cells of the master's row."""

    WORKERS_KILLED = 0  # ended without having been told to, and how
    WORKERS_CRASHED = 1
    WORKERS_HUNG = 2
    ADMIN_RESTARTS = 3
    LOG_LINES_PENDING = 4
    LOG_LINES_DROPPED = 5
    ADMIN_LOG_LINES_PENDING = 6
    ADMIN_LOG_LINES_DROPPED = 7
    WORKER_LOG_LINES_DROPPED = 8  # of workers that have ended: their rows may be given back


class RouteCell:
    """Cells of a route's row."""

    ACCEPTED = 0
    ACTIVE = 1
    LIMIT = 2
    REQUEST_BYTES = 3
    RESPONSE_BYTES = 4
    SPLICED_BYTES = 5
    COPIED_BYTES = 6
    UNDELIVERED_BYTES = 7
    MIRRORING = 8  # ended, with copies on their way
    DURATION_US = 9
    DURATION_BUCKETS = 10
    OVER = 27  # ended, and nothing is left of them
    UNTOLD = 28  # ended, and their worker was lost before that
    STARVED = 30  # directions that copy since splice finds nothing


class BackendCell:
    """Cells of a backend's row."""

    CONNECTIONS = 0
    ACTIVE = 1
    REQUEST_BYTES = 2
    RESPONSE_BYTES = 3
    CONNECT_US = 4
    CONNECT_BUCKETS = 5
    WENT_UP = 22  # transitions that this worker has found out
    WENT_DOWN = 23
    EJECTED = 24


class MirrorCell:
    """Cells of a mirror's row; an open stream's bytes are in it as they come."""

    STREAMS = 0
    OPEN = 1
    INCOMPLETE = 2
    OFFERED_BYTES = 3
    DELIVERED_BYTES = 4
    DROPPED_BYTES = 5
    LAG_BYTES = 6
    ATTACHED = 7  # 1 as long as it gets new streams, if it was attached while the proxy ran
    CONDITION = 8  # a `MirrorCondition`; the row's text is the reason
    SINCE_US = 9  # when that began, by the clock on the wall
    LEFT_OUT = 10  # connections that an attached mirror was to copy, for which it had no room
    RECORDS_FAILED = 11  # of connections, that could not be written
    ANSWER_BYTES = 12  # that its peer has answered, where that is recorded
    ANSWER_RECORDED_BYTES = 13
    ANSWER_LOST_BYTES = 14


class MirrorCondition(IntEnum):
    """How a mirror is, the worse the larger; in small letters as people read it."""

    OK = 0
    BEHIND = 1
    FAILING = 2


COUNT = 0
"""The only cell of rows that count by a reason."""

BUCKETS = 17
"""Of a histogram of microseconds: the first up to 4 us, each four times the one before, and the
last without a limit."""


_BUCKETS_BY_BITS = [min(max((bits + 1) // 2 - 1, 0), BUCKETS - 1) for bits in range(65)]


def bucket(us: int) -> int:
    """Return the number of the bucket that so many microseconds fall into."""
    return _BUCKETS_BY_BITS[(us - 1).bit_length()]


def bucket_bound_us(number: int) -> int | None:
    """Return the longest time that falls into a bucket; None: it has no limit."""
    return None if number == BUCKETS - 1 else 4 ** (number + 1)


class RowName(NamedTuple):
    """A row's name, taken apart."""

    kind: Kind
    slot: int
    labels: tuple[str, ...]


def row_name(kind: Kind | CommonKind, *labels: str | int) -> str:
    """Return the name of a row: the only maker of such names. A worker's first label is its slot.

    The same labels make the same name, in every process and after a reload.
    """
    return _SEPARATOR.join((kind, *(fitting(str(label)) for label in labels)))


@lru_cache(TABLE_ROWS + WORKER_ROWS)  # readers come again and again
def parse_row_name(name: str) -> RowName | None:
    """Take the name of a worker's row apart; None for other rows."""
    kind, *rest = name.split(_SEPARATOR)
    if kind not in _KINDS:
        return None
    return RowName(Kind(kind), int(rest[0]), tuple(rest[1:]))


def common_labels(name: str, kind: CommonKind) -> tuple[str, ...] | None:
    """Return the labels of a row that is no single worker's; None if it is of another kind."""
    its_kind, *labels = name.split(_SEPARATOR)
    return tuple(labels) if its_kind == kind else None


def is_of_worker(name: str) -> bool:
    """Whether it is the row in which a worker is heard of."""
    return name.startswith(Kind.WORKER + _SEPARATOR)


PERMANENT = ("",)
"""The subject of rows that stay, as what is in them is never over."""

_SUBJECTS = {
    Kind.ROUTE: ("route", 1),
    Kind.ENDED: ("route", 1),
    Kind.REFUSED: ("route", 1),
    Kind.BACKEND: ("backend", 2),
    Kind.FAILED: ("backend", 2),
    Kind.MIRROR: ("mirror", 2),
    Kind.DROPPED: ("mirror", 2),
}
"""What rows of workers are about, and how many of their labels say of which one."""


_COMMON_SUBJECTS = {CommonKind.BACKEND_ORDERS: "backend", CommonKind.MIRROR_ORDERS: "mirror"}


@lru_cache(TABLE_ROWS + WORKER_ROWS)
def subject_of(name: str) -> tuple[str, ...]:
    """Return what a row is about: rows of one subject live as long as the last of them is used.

    So a sum over the slots holds what workers have counted whose slots are free now.
    """
    parsed = parse_row_name(name)
    known = None if parsed is None else _SUBJECTS.get(parsed.kind)
    if parsed is not None and known is not None:
        subject, labels = known
        return (subject, *parsed.labels[:labels])
    for kind, subject in _COMMON_SUBJECTS.items():
        common = common_labels(name, kind)
        if common is not None:
            return (subject, *common)
    return PERMANENT if name in (CommonKind.ATTACHMENT_NUMBERS, CommonKind.MASTER) else (name,)


def fitting(label: str) -> str:
    """Return a label as it stands in a name; one that does not fit there ends in a hash."""
    encoded = label.encode(errors="replace")
    if len(encoded) <= _MAX_LABEL_BYTES and _SEPARATOR not in label:
        return encoded.decode()
    digest = blake2b(encoded, digest_size=_HASH_BYTES).hexdigest()
    short = label.replace(_SEPARATOR, " ").encode(errors="replace")
    kept = short[: _MAX_LABEL_BYTES - len(digest) - 1].decode(errors="ignore")
    return f"{kept}~{digest}"


assert 3 * (_MAX_LABEL_BYTES + 1) + 20 <= MAX_NAME_BYTES  # noqa: S101 - of constants
