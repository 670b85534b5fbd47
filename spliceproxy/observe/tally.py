"""Counting, in a worker's rows of the shared table: an addition for each thing that happens.

Bytes of open connections are added a few times a second, and the rest when they end, so that a
long transfer shows while it runs, and nothing is counted in the path of the bytes.
"""

from collections import Counter
from collections.abc import Collection, Hashable
from typing import NamedTuple, Protocol

from spliceproxy.ipc.mirror_orders import mirror_orders_row_name
from spliceproxy.ipc.rows import (
    COUNT,
    BackendCell,
    Kind,
    MirrorCell,
    MirrorCondition,
    RouteCell,
    bucket,
    row_name,
)
from spliceproxy.ipc.shared_table import Row, SharedTable
from spliceproxy.observe.connection import ConnectionRecord, Direction

Cells = memoryview


class Traffic(NamedTuple):
    """Bytes of one connection so far."""

    request_bytes: int
    response_bytes: int
    spliced_bytes: int
    copied_bytes: int


NONE_YET = Traffic(0, 0, 0, 0)


def moved_so_far(request: Direction, response: Direction) -> Traffic:
    """Return what both directions of a connection have moved so far."""
    return Traffic(
        request.spliced_bytes + request.copied_bytes,
        response.spliced_bytes + response.copied_bytes,
        request.spliced_bytes + response.spliced_bytes,
        request.copied_bytes + response.copied_bytes,
    )


class Tally:
    """The rows of one worker."""

    def __init__(self, table: SharedTable, slot: int) -> None:
        self.table = table
        self.slot = slot

    def cells(self, kind: Kind, *labels: str) -> Cells:
        """Return the cells of a row; see `row`."""
        return self.row(kind, *labels).cells

    def row(self, kind: Kind, *labels: str) -> Row:
        """Return a row; when none is left, it is one that nobody reads."""
        return self.table.claim_or_private(row_name(kind, self.slot, *labels))

    def order(self, route: str, mirror: str) -> Row:
        """Return the row with what an operator wants of a mirror; see `row`."""
        return self.table.claim_or_private(mirror_orders_row_name(route, mirror))


class Reasons:
    """Counts by reason; a row is claimed when its reason is met for the first time."""

    def __init__(self, tally: Tally, kind: Kind, *labels: str) -> None:
        self._tally = tally
        self._kind = kind
        self._labels = labels
        self._cells: dict[str, Cells] = {}

    def add(self, reason: str, count: int = 1) -> None:
        """Count one more, or several."""
        cells = self._cells.get(reason)
        if cells is None:
            cells = self._cells[reason] = self._tally.cells(self._kind, *self._labels, reason)
        cells[COUNT] += count


class BackendTally:
    """What one backend of a route gets."""

    def __init__(self, tally: Tally, route: str, backend: str) -> None:
        self.cells = tally.cells(Kind.BACKEND, route, backend)
        self.failed = Reasons(tally, Kind.FAILED, route, backend)
        self.cells[BackendCell.ACTIVE] = 0

    def connected(self, connect_s: float) -> None:
        """Count a connection that has been made."""
        cells = self.cells
        connect_us = int(connect_s * 1e6)
        cells[BackendCell.CONNECTIONS] += 1
        cells[BackendCell.ACTIVE] += 1
        cells[BackendCell.CONNECT_US] += connect_us
        cells[BackendCell.CONNECT_BUCKETS + bucket(connect_us)] += 1


class RouteTally:
    """What becomes of a route's connections."""

    def __init__(self, tally: Tally, route: str, max_connections: int) -> None:
        self.cells = cells = tally.cells(Kind.ROUTE, route)
        self.refused = Reasons(tally, Kind.REFUSED, route)
        self._ended = Reasons(tally, Kind.ENDED, route)
        self._tally = tally
        self._route = route
        self._backends: dict[str, BackendTally] = {}
        self._open: dict[Hashable, Traffic] = {}
        self._starves = False
        # Who had this slot before may have died with connections open.
        cells[RouteCell.ACTIVE] = cells[RouteCell.MIRRORING] = 0
        cells[RouteCell.LIMIT] = max_connections

    def accepted(self) -> None:
        """Count a client."""
        self.cells[RouteCell.ACCEPTED] += 1
        self.cells[RouteCell.ACTIVE] += 1

    def backend(self, name: str) -> BackendTally:
        """Return the tally of a backend."""
        tally = self._backends.get(name)
        if tally is None:
            tally = self._backends[name] = BackendTally(self._tally, self._route, name)
        return tally

    def forget_all_but(self, backends: Collection[str]) -> None:
        """Let go of the rows of other backends, unless they have connections."""
        self._backends = {
            name: tally
            for name, tally in self._backends.items()
            if name in backends or tally.cells[BackendCell.ACTIVE]
        }

    def moved(self, connection: Hashable, backend: str, now: Traffic) -> None:
        """Count what an open connection has moved since this was last asked."""
        before = self._open.get(connection, NONE_YET)
        if now != before:
            self._add(before, now, self.backend(backend))
            self._open[connection] = now

    def ended(self, connection: Hashable, record: ConnectionRecord, to: str) -> None:
        """Count a connection that has ended, to a backend unless that is empty.

        Copies may still be on their way to mirrors.
        """
        cells = self.cells
        duration_us = int(record.duration_s * 1e6)
        cells[RouteCell.ACTIVE] -= 1
        cells[RouteCell.MIRRORING] += 1
        cells[RouteCell.UNDELIVERED_BYTES] += record.undelivered_bytes
        cells[RouteCell.DURATION_US] += duration_us
        cells[RouteCell.DURATION_BUCKETS + bucket(duration_us)] += 1
        self._ended.add(record.reason)
        if to:
            backend = self.backend(to)
            backend.cells[BackendCell.ACTIVE] -= 1
            before = self._open.pop(connection, NONE_YET) if self._open else NONE_YET
            self._add(before, _traffic(record), backend)

    def starved(self) -> bool:
        """Count a direction that copies since splice finds nothing; whether it is the first."""
        self.cells[RouteCell.STARVED] += 1
        is_first, self._starves = not self._starves, True
        return is_first

    def over(self) -> None:
        """Count that the copies of a connection that has ended are settled too."""
        self.cells[RouteCell.MIRRORING] -= 1
        self.cells[RouteCell.OVER] += 1

    def _add(self, before: Traffic, now: Traffic, backend: BackendTally) -> None:
        request_bytes = now.request_bytes - before.request_bytes
        response_bytes = now.response_bytes - before.response_bytes
        cells = self.cells
        cells[RouteCell.REQUEST_BYTES] += request_bytes
        cells[RouteCell.RESPONSE_BYTES] += response_bytes
        cells[RouteCell.SPLICED_BYTES] += now.spliced_bytes - before.spliced_bytes
        cells[RouteCell.COPIED_BYTES] += now.copied_bytes - before.copied_bytes
        backend.cells[BackendCell.REQUEST_BYTES] += request_bytes
        backend.cells[BackendCell.RESPONSE_BYTES] += response_bytes


class StreamBytes(Protocol):
    """What became of the bytes of a stream."""

    offered_bytes: int
    delivered_bytes: int
    dropped_bytes: int


class Stream(StreamBytes, Protocol):
    """One direction of a connection on its way to one mirror."""

    reason: str
    """Why something is missing; empty as long as nothing is."""

    @property
    def held_bytes(self) -> int:
        """Bytes that are neither delivered nor dropped."""

    @property
    def answers(self) -> StreamBytes | None:
        """What the mirror's peer has answered, if that is recorded."""


class MirrorTally:
    """What one mirror of a route is offered and gets."""

    def __init__(
        self, tally: Tally, route: str, mirror: str, *, counts_answers: bool = False
    ) -> None:
        self._row = tally.row(Kind.MIRROR, route, mirror)
        self.cells = cells = self._row.cells
        self.lost = Counter[str]()
        """Bytes by reason that this worker's streams did not get."""
        self._dropped = Reasons(tally, Kind.DROPPED, route, mirror)
        self._open: dict[Stream, tuple[int, int, int]] = {}
        self._counts_answers = counts_answers
        self._answers: dict[Stream, tuple[int, int, int]] = {}
        cells[MirrorCell.OPEN] = cells[MirrorCell.LAG_BYTES] = 0
        self.tell(MirrorCondition.OK, 0.0, "")

    def tell(self, condition: MirrorCondition, since_s: float, reason: str) -> None:
        """Say how the mirror is, since when by the clock on the wall, and why."""
        self._row.text = reason
        self.cells[MirrorCell.SINCE_US] = int(since_s * 1e6)
        self.cells[MirrorCell.CONDITION] = condition

    def opened(self, stream: Stream) -> None:
        """Count a stream."""
        self._open[stream] = (0, 0, 0)
        self.cells[MirrorCell.STREAMS] += 1
        self.cells[MirrorCell.OPEN] += 1

    def look(self) -> None:
        """Count what has become of the open streams since the last time."""
        for stream in self._open:
            self._add(stream)
        self.cells[MirrorCell.LAG_BYTES] = sum(stream.held_bytes for stream in self._open)

    def ended(self, stream: Stream) -> None:
        """Count a stream that is over."""
        self._add(stream)
        del self._open[stream]
        self._answers.pop(stream, None)
        self.cells[MirrorCell.OPEN] -= 1
        self.cells[MirrorCell.INCOMPLETE] += bool(stream.reason)

    def _add(self, stream: Stream) -> None:
        offered, delivered, dropped = self._open[stream]
        now = (stream.offered_bytes, stream.delivered_bytes, stream.dropped_bytes)
        self._open[stream] = now
        self.cells[MirrorCell.OFFERED_BYTES] += now[0] - offered
        self.cells[MirrorCell.DELIVERED_BYTES] += now[1] - delivered
        if now[2] > dropped:
            self.cells[MirrorCell.DROPPED_BYTES] += now[2] - dropped
            reason = stream.reason or "unknown"
            self.lost[reason] += now[2] - dropped
            self._dropped.add(reason, now[2] - dropped)
        if self._counts_answers and (answers := stream.answers) is not None:
            self._add_answers(stream, answers)

    def _add_answers(self, stream: Stream, answers: StreamBytes) -> None:
        seen, recorded, lost = self._answers.get(stream, (0, 0, 0))
        now = (answers.offered_bytes, answers.delivered_bytes, answers.dropped_bytes)
        self._answers[stream] = now
        self.cells[MirrorCell.ANSWER_BYTES] += now[0] - seen
        self.cells[MirrorCell.ANSWER_RECORDED_BYTES] += now[1] - recorded
        self.cells[MirrorCell.ANSWER_LOST_BYTES] += now[2] - lost


def _traffic(record: ConnectionRecord) -> Traffic:
    return Traffic(
        record.request_bytes, record.response_bytes, record.spliced_bytes, record.copied_bytes
    )
