"""Which slot each worker has in the shared table."""

import errno
import heapq
import time

from spliceproxy.ipc.losses import Losses, settle
from spliceproxy.ipc.master_row import MasterRow
from spliceproxy.ipc.row_lifetime import KEPT_S, TOUCH_INTERVAL_S
from spliceproxy.ipc.rows import (
    BackendCell,
    Kind,
    MirrorCell,
    RouteCell,
    WorkerCell,
    WorkerState,
    parse_row_name,
    row_name,
)
from spliceproxy.ipc.shared_count import clear_part
from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.ipc.table_memory import MAX_HOLDERS

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
    """Gives each worker the lowest slot that is free, and gives back rows that nobody uses."""

    def __init__(self, table: SharedTable, kept_s: float = KEPT_S) -> None:
        self._table = table
        self.master_row = MasterRow(table)
        """Where it is counted how workers end."""
        self._kept_s = kept_s
        self._reclaim_s = 0.0
        self._free: list[int] = []
        self._next = 0

    def take(self) -> int:
        """Return a slot that no other worker has; to be called before the worker is forked.

        Raises:
            OSError: there are too many workers.
        """
        if not self._free:
            if self._next == MAX_HOLDERS:
                raise OSError(errno.EAGAIN, f"there are {MAX_HOLDERS} workers already")
            self._free.append(self._next)
            self._next += 1
        slot = heapq.heappop(self._free)
        self._table.enter(slot)
        return slot

    def free(self, slot: int) -> Losses:
        """Take back the slot of a worker that has ended, however that came.

        Returns what it has left unfinished, which is counted.
        """
        heapq.heappush(self._free, slot)
        with self._table.locked():  # while this writes, the rows are those of the slot
            losses = settle(self._table, slot)
            for row in self._table.rows():
                clear_part(row, slot)
                name = parse_row_name(row.name)
                if name is None or name.slot != slot:
                    continue
                for cell in _GAUGES.get(name.kind, ()):
                    row.cells[cell] = 0
                if name.kind == Kind.WORKER:
                    row.cells[WorkerCell.STATE] = WorkerState.FREE
                    self.master_row.take_lines(row.cells)
            self._table.client_areas.clear(slot)
            self._table.leave(slot)
        return losses

    def tend(self) -> None:
        """Give back rows that nobody has used for long; to be called every second or so."""
        now_s = time.monotonic()
        if now_s >= self._reclaim_s:
            self._reclaim_s = now_s + TOUCH_INTERVAL_S
            self._table.reclaim(self._kept_s)

    def heartbeat_s(self, slot: int) -> float:
        """When the worker there was last heard of, by `time.monotonic`; 0.0: never."""
        row = self._table.find(row_name(Kind.WORKER, slot))
        return 0.0 if row is None else row.values()[WorkerCell.HEARTBEAT_US] / 1e6
