"""A number to which each worker adds its part: what all workers of all generations have together.

Each worker writes a cell of its own, by its slot, and reads those of the others. So no lock is
needed, and no count is lost when two write at the same moment: one that has looked just before
the other wrote goes one too far at most, and the next look sees both. (A cell that all of them
wrote to would lose counts, as Python has no atomic addition; a lock of the kernel's would cost two
system calls for each connection.)
"""

from collections.abc import Sequence

import structlog

from spliceproxy.ipc.rows import CommonKind, common_labels, row_name
from spliceproxy.ipc.shared_table import Row, SharedTable
from spliceproxy.ipc.table_memory import CELLS

SLOTS_OF_ROW = CELLS - 1
COMMON = CELLS - 1
"""The last cell of the first row is nobody's own."""


class SharedCount:
    """The sum over all workers, and the part of this one."""

    def __init__(
        self, table: SharedTable, slot: int, kind: CommonKind, labels: Sequence[str]
    ) -> None:
        self._table = table
        self._kind = kind
        self._labels = labels
        self._slots = table.slots
        self._rows: list[Row] = []
        self._parts: list[memoryview] = []  # the cells of all slots that there are
        self._seen = 0
        self._look(slot + 1)
        self.common: memoryview = self._rows[0].cells[COMMON:]
        """One cell that all share."""
        self._slot = slot
        self._own = self._rows[slot // SLOTS_OF_ROW].cells
        self._index = slot % SLOTS_OF_ROW

    @property
    def own(self) -> int:
        """The part of this worker."""
        own: int = self._own[self._index]
        return own

    @own.setter
    def own(self, count: int) -> None:
        self._own[self._index] = count

    def total(self) -> int:
        """Return what all have together."""
        if self._slots[0] > self._seen:
            self._look(self._slots[0])
        parts = self._parts
        return sum(parts[0]) if len(parts) == 1 else sum(map(sum, parts))

    def others(self) -> int:
        """Return what all others have."""
        return self.total() - self.own

    def of_others(self) -> list[int]:
        """Return what each of the others has."""
        if self._slots[0] > self._seen:
            self._look(self._slots[0])
        found = [part for parts in self._parts for part in parts]
        del found[self._slot]
        return found

    def _look(self, slots: int) -> None:
        """See the cells of so many slots."""
        while len(self._rows) * SLOTS_OF_ROW < slots:
            name = row_name(self._kind, *self._labels, len(self._rows))
            self._rows.append(claim_shared(self._table, name))
        self._seen = slots
        self._parts = [
            row.cells[: min(SLOTS_OF_ROW, slots - number * SLOTS_OF_ROW)]
            for number, row in enumerate(self._rows)
        ]


def claim_shared(table: SharedTable, name: str) -> Row:
    """Return the row of that name; if the table is full, one that no other worker reads."""
    row = table.claim_or_private(name)
    if not row.is_shared:
        structlog.get_logger().error("limit_not_shared", row=name)
    return row


def clear_part(row: Row, slot: int) -> None:
    """Let a worker that has ended have nothing any more, if the row is about what workers have."""
    labels = common_labels(row.name, CommonKind.COUNT)
    if labels is not None and int(labels[-1]) == slot // SLOTS_OF_ROW:
        row.cells[slot % SLOTS_OF_ROW] = 0
