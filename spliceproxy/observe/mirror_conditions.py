"""How mirrors are, by what all workers have found: the worst counts."""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from spliceproxy.ipc.rows import (
    MirrorCell,
    MirrorCondition,
    RowName,
    WorkerCell,
    WorkerState,
    fitting,
)
from spliceproxy.ipc.shared_table import Row

NamedRow = tuple[RowName, Row]


class ConditionOfMirror(NamedTuple):
    """How a mirror is, and since when (seconds since 1970), and why."""

    condition: MirrorCondition = MirrorCondition.OK
    since_s: float = 0.0
    reason: str = ""


class MirrorConditions:
    """Those of all mirrors, from the rows of workers and mirrors."""

    def __init__(self, workers: Iterable[NamedRow], mirrors: Iterable[NamedRow]) -> None:
        self._states = {name.slot: row.values()[WorkerCell.STATE] for name, row in workers}
        self._rows: dict[tuple[str, ...], list[NamedRow]] = defaultdict(list)
        for name, row in mirrors:
            self._rows[name.labels].append((name, row))

    def of(self, route: str, mirror: str) -> ConditionOfMirror:
        """Return the worst that a worker which accepts has found, and how long that is so.

        Where none accepts, those count that drain.
        """
        rows = self._rows.get((fitting(route), fitting(mirror)), [])
        for state in (WorkerState.SERVING, WorkerState.DRAINING):
            found = [_read(row) for name, row in rows if self._states.get(name.slot) == state]
            if found:
                return min(found, key=lambda one: (-one.condition, one.since_s))
        return ConditionOfMirror()


def _read(row: Row) -> ConditionOfMirror:
    cells = row.values()
    condition = MirrorCondition(cells[MirrorCell.CONDITION])
    return ConditionOfMirror(condition, cells[MirrorCell.SINCE_US] / 1e6, row.text)
