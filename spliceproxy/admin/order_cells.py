"""Where the admin process writes orders: rows that workers hold."""

from collections.abc import Iterator
from contextlib import contextmanager

from spliceproxy.admin.messages import RefusedError
from spliceproxy.ipc.shared_table import SharedTable


@contextmanager
def order_cells(table: SharedTable, row_name: str) -> Iterator[memoryview]:
    """Have the cells of a row, which nobody gives back meanwhile.

    Raises:
        RefusedError: no worker has claimed it.
    """
    with table.locked():
        row = table.find(row_name)
        if row is None:
            raise RefusedError(503, "the workers cannot be told: see shared_table_full in the log")
        yield row.cells
