"""The master looks from time to time whether rows are anybody's."""

import time
from contextlib import closing

import pytest

from spliceproxy.ipc.row_lifetime import TOUCH_INTERVAL_S
from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.master.row_reclaimer import RowReclaimer


def test_what_is_nobodys_goes_at_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(SharedTable(10)) as table:
        table.claim("gone")
        reclaimer = RowReclaimer(table, kept_s=0.0)
        table.enter(0)
        reclaimer.tend()
        assert len(table.rows()) == 1, "it is not time yet"
        later_s = time.monotonic() + TOUCH_INTERVAL_S
        assert reclaimer.next_deadline_s <= later_s
        monkeypatch.setattr(time, "monotonic", lambda: later_s)
        reclaimer.tend()
        assert table.rows() == []
        assert reclaimer.next_deadline_s == later_s + TOUCH_INTERVAL_S
