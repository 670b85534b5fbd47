"""What the master counts of its own: how often it had to start something again."""

import signal
from collections.abc import Iterable, Sequence

from spliceproxy.ipc.rows import CommonKind, LineCell, MasterCell, WorkerCell, row_name
from spliceproxy.ipc.shared_table import Row, SharedTable

_OF_A_CRASH = frozenset(
    {
        signal.SIGABRT,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGSEGV,
        signal.SIGSYS,
        signal.SIGTRAP,
    }
)
"""Signals that a process brings upon itself (signal(7)); the others are sent to it."""

_CELLS = {
    "killed": MasterCell.WORKERS_KILLED,
    "crashed": MasterCell.WORKERS_CRASHED,
    "hung": MasterCell.WORKERS_HUNG,
}

MASTER_ROW = row_name(CommonKind.MASTER)


class MasterRow:
    """The row of the master, and of the admin process; both outlive all workers."""

    def __init__(self, table: SharedTable) -> None:
        self._cells = cells = table.claim_or_private(MASTER_ROW).cells
        self.lines = cells[MasterCell.LOG_LINES_PENDING :]
        """The master's counts of log lines."""
        self.admin_lines = cells[MasterCell.ADMIN_LOG_LINES_PENDING :]
        """Those of the admin process."""

    def worker_lost(self, cause: str) -> None:
        """Count a worker that has ended without having been told to; see `cause_of_end`."""
        self._cells[_CELLS[cause]] += 1

    def take_lines(self, worker: memoryview) -> None:
        """Go on counting the lines that a worker has dropped which has ended."""
        dropped, worker[WorkerCell.LOG_LINES_DROPPED] = worker[WorkerCell.LOG_LINES_DROPPED], 0
        self._cells[MasterCell.WORKER_LOG_LINES_DROPPED] += dropped

    def admin_lost(self) -> None:
        """Count an admin process that has ended without having been told to."""
        self._cells[MasterCell.ADMIN_RESTARTS] += 1

    def admin_ended(self) -> None:
        """Count the lines that an admin process had not written when it ended."""
        self.admin_lines[LineCell.DROPPED] += self.admin_lines[LineCell.PENDING]
        self.admin_lines[LineCell.PENDING] = 0


def cause_of_end(exit_code: int, *, hung: bool) -> str:
    """Return why a process has ended that nobody had told to: ``killed``, ``crashed``, ``hung``."""
    if hung:
        return "hung"
    # 0: it has followed a signal that was sent to it alone.
    return "crashed" if exit_code > 0 or -exit_code in _OF_A_CRASH else "killed"


def restarts(cells: Sequence[int]) -> dict[str, int]:
    """Return how many workers were lost, by cause."""
    return {cause: cells[cell] for cause, cell in _CELLS.items()}


def dropped_lines(cells: Sequence[int], workers: Iterable[Row]) -> dict[str, int]:
    """Return how many log lines were not written, by kind of process."""
    of_workers = sum(row.values()[WorkerCell.LOG_LINES_DROPPED] for row in workers)
    return {
        "master": cells[MasterCell.LOG_LINES_DROPPED],
        "admin": cells[MasterCell.ADMIN_LOG_LINES_DROPPED],
        "worker": cells[MasterCell.WORKER_LOG_LINES_DROPPED] + of_workers,
    }
