"""The master gives back the rows of the shared table that nobody uses any more."""

import time

from spliceproxy.ipc.row_lifetime import KEPT_S, TOUCH_INTERVAL_S
from spliceproxy.ipc.shared_table import SharedTable


class RowReclaimer:
    """Looks every ten seconds, which costs nothing as long as there is nothing to do."""

    def __init__(self, table: SharedTable, kept_s: float = KEPT_S) -> None:
        self._table = table
        self._kept_s = kept_s
        self.next_deadline_s = time.monotonic() + TOUCH_INTERVAL_S

    def tend(self) -> None:
        """Look, if it is time for that."""
        if time.monotonic() >= self.next_deadline_s:
            self._table.reclaim(self._kept_s)
            self.next_deadline_s = time.monotonic() + TOUCH_INTERVAL_S
