"""How the ends of processes are counted."""

import signal
from contextlib import closing

import pytest

from spliceproxy.ipc.master_row import MASTER_ROW, MasterRow, cause_of_end, restarts
from spliceproxy.ipc.rows import LineCell, MasterCell
from spliceproxy.ipc.shared_table import SharedTable


@pytest.mark.parametrize(
    ("exit_code", "cause"),
    [
        (-signal.SIGKILL, "killed"),
        (-signal.SIGTERM, "killed"),
        (0, "killed"),
        (1, "crashed"),
        (-signal.SIGSEGV, "crashed"),
        (-signal.SIGABRT, "crashed"),
    ],
)
def test_why_a_process_has_ended(exit_code: int, cause: str) -> None:
    assert cause_of_end(exit_code, hung=False) == cause
    assert cause_of_end(exit_code, hung=True) == "hung"


def test_what_is_counted_of_processes() -> None:
    with closing(SharedTable(3)) as table:
        master, again = MasterRow(table), MasterRow(table)
        for cause in ("killed", "hung", "killed", "crashed"):
            master.worker_lost(cause)
        again.admin_lost()
        again.admin_lines[LineCell.PENDING], again.admin_lines[LineCell.DROPPED] = 3, 4
        again.admin_ended()
        master.lines[LineCell.DROPPED] += 5
        row = table.find(MASTER_ROW)
        assert row is not None
        cells = row.cells.tolist()
    assert restarts(cells) == {"killed": 2, "crashed": 1, "hung": 1}
    assert cells[MasterCell.ADMIN_RESTARTS] == 1
    assert cells[MasterCell.ADMIN_LOG_LINES_DROPPED] == 7
    assert cells[MasterCell.ADMIN_LOG_LINES_PENDING] == 0
    assert cells[MasterCell.LOG_LINES_DROPPED] == 5
