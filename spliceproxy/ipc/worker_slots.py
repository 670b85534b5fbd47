"""Which slot each worker has in the shared table."""

import heapq

import structlog

from spliceproxy.ipc.rows import (
    COUNT,
    BackendCell,
    Kind,
    MirrorCell,
    RouteCell,
    WorkerCell,
    WorkerState,
    parse_row_name,
    row_name,
)
from spliceproxy.ipc.shared_table import SharedTable, TableFullError

WORKER_LOST = "worker_lost"
"""Why connections of a worker that has died have ended; it cannot tell of them any more."""

_GAUGES: dict[Kind, tuple[int, ...]] = {
    Kind.WORKER: (WorkerCell.PIPES_IN_USE, WorkerCell.PIPES_IDLE, WorkerCell.PIPES_BYTES),
    Kind.ROUTE: (RouteCell.ACTIVE, RouteCell.LIMIT, RouteCell.MIRRORING),
    Kind.BACKEND: (BackendCell.ACTIVE,),
    Kind.MIRROR: (
        MirrorCell.OPEN,
        MirrorCell.LAG_BYTES,
        MirrorCell.ATTACHED,
        MirrorCell.CONDITION,
        MirrorCell.SINCE_US,
    ),
}
"""What is true of a worker only while it lives. The other cells count on."""


class WorkerSlots:
    """Gives each worker the lowest slot that is free, so that rows are few."""

    def __init__(self, table: SharedTable) -> None:
        self._table = table
        self._free: list[int] = []
        self._next = 0

    def take(self) -> int:
        """Return a slot that no other worker has."""
        if self._free:
            return heapq.heappop(self._free)
        self._next += 1
        return self._next - 1

    def free(self, slot: int) -> dict[str, int]:
        """Take back the slot of a worker that has ended, however that came.

        Connections that were open by its rows are counted as ended; returns how many by route.
        """
        heapq.heappush(self._free, slot)
        lost = self._count_lost(slot)
        for row in self._table.rows():
            name = parse_row_name(row.name)
            if name is None or name.slot != slot:
                continue
            for cell in _GAUGES.get(name.kind, ()):
                row.cells[cell] = 0
            if name.kind == Kind.WORKER:
                row.cells[WorkerCell.STATE] = WorkerState.FREE
        return lost

    def _count_lost(self, slot: int) -> dict[str, int]:
        """Count as ended what was open; copies that were on their way to mirrors are not known."""
        lost: dict[str, int] = {}
        for row in self._table.rows():
            name = parse_row_name(row.name)
            if name is None or (name.kind, name.slot) != (Kind.ROUTE, slot):
                continue
            if count := row.cells[RouteCell.ACTIVE]:
                lost[name.labels[0]] = count
        for route, count in lost.items():
            ended = row_name(Kind.ENDED, slot, route, WORKER_LOST)
            self._table.claim_or_private(ended, _tell_full).cells[COUNT] += count
        return lost

    def heartbeat_s(self, slot: int) -> float:
        """When the worker there was last heard of, by `time.monotonic`; 0.0: never."""
        row = self._table.find(row_name(Kind.WORKER, slot))
        return 0.0 if row is None else row.cells[WorkerCell.HEARTBEAT_US] / 1e6


def _tell_full(error: TableFullError) -> None:
    structlog.get_logger().error("counters_lost", row=Kind.ENDED, error=str(error))
