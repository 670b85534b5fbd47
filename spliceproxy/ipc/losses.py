"""What a worker that has ended left unfinished, found in its rows and counted there.

A kill may come between any two additions. So what was lost is not read off the gauges, which may be
one off, but is what the cells that only grow leave over: each of them is written before the next
one of its line.

==============  ============================================================================
connections     accepted, and not ended
untold          ended, and not over: copies were on their way to mirrors, and the log has no
                line of it
bytes           offered to a mirror, and neither delivered nor dropped
log lines       taken, and not written
==============  ============================================================================
"""

from collections import Counter
from dataclasses import dataclass, field

from spliceproxy.ipc.rows import (
    COUNT,
    Kind,
    MirrorCell,
    RouteCell,
    WorkerCell,
    parse_row_name,
    row_name,
)
from spliceproxy.ipc.shared_table import Row, SharedTable

WORKER_LOST = "worker_lost"
"""Why connections have ended, and bytes for mirrors are lost, of a worker that cannot tell."""

_MOST_NAMES = 20
"""Routes, or mirrors, that a log line names: those with the largest losses."""


@dataclass(slots=True)
class Losses:
    """How much; connections by route, bytes by mirror."""

    connections: Counter[str] = field(default_factory=Counter)
    untold: Counter[str] = field(default_factory=Counter)
    mirror_bytes: Counter[str] = field(default_factory=Counter)
    """By route and mirror, with a blank between."""
    log_lines: int = 0

    def __bool__(self) -> bool:
        return bool(self.connections or self.untold or self.mirror_bytes or self.log_lines)

    def describe(self) -> dict[str, object]:
        """Return what a log line tells."""
        told: dict[str, object] = {
            "connections_lost": _largest(self.connections),
            "connections_untold": _largest(self.untold),
            "mirror_bytes_lost": _largest(self.mirror_bytes),
        }
        return {**told, "log_lines_lost": self.log_lines}


def _largest(counts: Counter[str]) -> dict[str, int]:
    named = dict(counts.most_common(_MOST_NAMES))
    if len(counts) > _MOST_NAMES:
        named["others"] = counts.total() - sum(named.values())
    return named


class _Slot:
    """The rows of one slot: those of a kind by their labels, and their sums by reason."""

    def __init__(self, table: SharedTable, slot: int) -> None:
        self.table = table
        self.slot = slot
        self.rows: dict[Kind, dict[tuple[str, ...], Row]] = {kind: {} for kind in Kind}
        for row in table.rows():
            name = parse_row_name(row.name)
            if name is not None and name.slot == slot:
                self.rows[name.kind][name.labels] = row

    def by_reason(self, kind: Kind, but: str = "") -> Counter[tuple[str, ...]]:
        """Return the sums over the reasons, all but one."""
        sums = Counter[tuple[str, ...]]()
        for (*labels, reason), row in self.rows[kind].items():
            if reason != but:
                sums[tuple(labels)] += row.cells[COUNT]
        return sums

    def add_lost(self, kind: Kind, labels: tuple[str, ...], count: int) -> None:
        """Count what was lost with the worker."""
        name = row_name(kind, self.slot, *labels, WORKER_LOST)
        self.table.claim_or_private(name).cells[COUNT] += count


def settle(table: SharedTable, slot: int) -> Losses:
    """Count what the worker of a slot has left unfinished; a second time there is nothing."""
    rows, losses = _Slot(table, slot), Losses()
    _settle_connections(rows, losses)
    _settle_mirrors(rows, losses)
    for row in rows.rows[Kind.WORKER].values():
        losses.log_lines = row.cells[WorkerCell.LOG_LINES_PENDING]
        row.cells[WorkerCell.LOG_LINES_DROPPED] += losses.log_lines
        row.cells[WorkerCell.LOG_LINES_PENDING] = 0
    return losses


def _settle_connections(slot: _Slot, losses: Losses) -> None:
    ended = slot.by_reason(Kind.ENDED)
    told_by_itself = slot.by_reason(Kind.ENDED, but=WORKER_LOST)
    for labels, row in slot.rows[Kind.ROUTE].items():
        cells = row.cells
        untold = told_by_itself[labels] - cells[RouteCell.OVER] - cells[RouteCell.UNTOLD]
        if untold > 0:
            cells[RouteCell.UNTOLD] += untold
            losses.untold[labels[0]] = untold
        if (lost := cells[RouteCell.ACCEPTED] - ended[labels]) > 0:
            slot.add_lost(Kind.ENDED, labels, lost)
            losses.connections[labels[0]] = lost


def _settle_mirrors(slot: _Slot, losses: Losses) -> None:
    dropped = slot.by_reason(Kind.DROPPED)
    for labels, row in slot.rows[Kind.MIRROR].items():
        cells = row.cells
        missing = cells[MirrorCell.OFFERED_BYTES] - cells[MirrorCell.DELIVERED_BYTES]
        cells[MirrorCell.INCOMPLETE] += cells[MirrorCell.OPEN]
        cells[MirrorCell.OPEN] = 0
        cells[MirrorCell.DROPPED_BYTES] = missing
        recorded = cells[MirrorCell.ANSWER_RECORDED_BYTES]
        cells[MirrorCell.ANSWER_LOST_BYTES] = cells[MirrorCell.ANSWER_BYTES] - recorded
        if (lost := missing - dropped[labels]) > 0:
            slot.add_lost(Kind.DROPPED, labels, lost)
            losses.mirror_bytes[" ".join(labels)] = lost
