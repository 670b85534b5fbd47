"""Which place each worker has in the shared table."""

import heapq

from spliceproxy.kernel.shared_table import SharedTable
from spliceproxy.observe.rows import (
    BackendCell,
    Kind,
    MirrorCell,
    RouteCell,
    WorkerCell,
    WorkerState,
    parse_row_name,
)

_GAUGES: dict[Kind, tuple[int, ...]] = {
    Kind.WORKER: (WorkerCell.PIPES_IN_USE, WorkerCell.PIPES_IDLE, WorkerCell.PIPES_BYTES),
    Kind.ROUTE: (RouteCell.ACTIVE, RouteCell.LIMIT, RouteCell.MIRRORING),
    Kind.BACKEND: (BackendCell.ACTIVE,),
    Kind.MIRROR: (MirrorCell.OPEN, MirrorCell.LAG_BYTES, MirrorCell.ATTACHED),
}
"""What is true of a worker only while it lives. The other cells count on."""


class Places:
    """Gives each worker the lowest place that is free, so that rows are few."""

    def __init__(self, table: SharedTable) -> None:
        self._table = table
        self._free: list[int] = []
        self._next = 0

    def take(self) -> int:
        """Return a place that no other worker has."""
        if self._free:
            return heapq.heappop(self._free)
        self._next += 1
        return self._next - 1

    def free(self, place: int) -> None:
        """Take back the place of a worker that has ended, however that came."""
        heapq.heappush(self._free, place)
        for row in self._table.rows():
            name = parse_row_name(row.name)
            if name is None or name.place != place:
                continue
            for cell in _GAUGES.get(name.kind, ()):
                row.cells[cell] = 0
            if name.kind == Kind.WORKER:
                row.cells[WorkerCell.STATE] = WorkerState.FREE

    def heartbeat_s(self, place: int) -> float:
        """When the worker there was last heard of, by `time.monotonic`; 0.0: never."""
        for row in self._table.rows():
            name = parse_row_name(row.name)
            if name is not None and (name.kind, name.place) == (Kind.WORKER, place):
                return row.cells[WorkerCell.HEARTBEAT_US] / 1e6
        return 0.0
