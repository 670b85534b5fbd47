"""What all workers have counted together."""

from collections import defaultdict
from collections.abc import Iterable

from spliceproxy.ipc.rows import COUNT, Kind, RowName, fitting
from spliceproxy.ipc.shared_table import Row
from spliceproxy.ipc.table_memory import CELLS

Key = tuple[Kind, tuple[str, ...]]


class Sums:
    """Cells of rows that differ in their slot alone, added up."""

    def __init__(self, rows: Iterable[tuple[RowName, Row]]) -> None:
        self._sums: dict[Key, list[int]] = {}
        self._reasons: dict[Key, dict[str, int]] = defaultdict(dict)
        for name, row in rows:
            cells = row.values()
            key = (name.kind, name.labels)
            before = self._sums.get(key)
            self._sums[key] = cells if before is None else list(map(int.__add__, before, cells))
        for (kind, labels), cells in self._sums.items():
            if kind in (Kind.ENDED, Kind.REFUSED, Kind.FAILED, Kind.DROPPED):
                self._reasons[kind, labels[:-1]][labels[-1]] = cells[COUNT]

    def cells(self, kind: Kind, *labels: str) -> list[int]:
        """Return the sum over all slots; zeros if nobody has counted yet."""
        return self._sums.get((kind, tuple(map(fitting, labels)))) or ZEROS

    def has(self, kind: Kind, *labels: str) -> bool:
        """Whether anybody has counted, and not all too long ago."""
        return (kind, tuple(map(fitting, labels))) in self._sums

    def reasons(self, kind: Kind, *labels: str) -> dict[str, int]:
        """Return the counts of each reason."""
        return dict(self._reasons.get((kind, tuple(map(fitting, labels))), {}))

    def named(self, kind: Kind) -> set[tuple[str, ...]]:
        """Return the labels of all rows of a kind, as they stand in their names."""
        return {labels for its_kind, labels in self._sums if its_kind == kind}


ZEROS = [0] * CELLS
