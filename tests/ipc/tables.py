"""Shared tables whose clock the tests set, and other processes that have them."""

import copy
from collections.abc import Iterator
from contextlib import closing

import pytest

from spliceproxy.ipc import shared_table
from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.observe import listed_backends
from spliceproxy.upstream import health

DAY_S = 24 * 3600.0


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_us = 1_000_000
        for module in (shared_table, listed_backends, health):
            monkeypatch.setattr(module, "now_us", lambda: self.now_us)

    def go_on(self, seconds: float) -> None:
        self.now_us += round(seconds * 1e6)


def table_of(rows: int) -> Iterator[SharedTable]:
    with closing(SharedTable(rows)) as table:
        yield table


def as_another_process_has_it(table: SharedTable) -> SharedTable:
    """Return the same table as a process has it that has read and claimed nothing."""
    other = copy.copy(table)
    other._changes, other._rows, other._names, other._free, other._held = 0, {}, {}, set(), {}
    return other
