"""A table of numbers that processes share: what one writes, the others read without a message.

Rows are found by name, and outlive the process that wrote them, so that whoever succeeds a process
goes on counting where it stopped. How long they live: see `spliceproxy.ipc.row_lifetime`.
"""

import mmap
import weakref
from contextlib import AbstractContextManager
from typing import NamedTuple

import structlog

from spliceproxy.ipc.client_areas import ClientAreas
from spliceproxy.ipc.row_lifetime import KEPT_S, find_unused
from spliceproxy.ipc.rows import is_of_worker, subject_of
from spliceproxy.ipc.table_memory import (
    CELLS,
    CELLS_AT,
    MAX_NAME_BYTES,
    MAX_TEXT_BYTES,
    ROW_BYTES,
    TEXT_AT,
    HeadCell,
    Memory,
    TableMemory,
    now_us,
    read_text,
    write_text,
)

_NEARLY_FULL = 3 / 4
_MOST_AT_ONCE = 500
"""Rows that are given back in one go, at some 15 us each: others who want one wait meanwhile."""


class TableFullError(Exception):
    """No row is left for another name."""


class TableUse(NamedTuple):
    """How full a table is."""

    rows: int
    limit: int
    refused: int
    """Names that got no row, and so are not shared."""


class Row:
    """A name, 64-bit numbers and a text.

    One process writes a cell, any number read it. An aligned store of eight bytes is seen whole
    or not at all; a text may be seen half old, half new, and is for people to read.
    """

    __slots__ = ("_at", "_generation", "_generations", "_memory", "cells", "name", "number")

    def __init__(
        self, memory: Memory, at: int, name: str, generations: memoryview, number: int = 0
    ) -> None:
        self._memory = memory
        self._at = at
        self._generations = generations
        self._generation: int = generations[number]
        self.name = name
        self.number = number
        start = at + CELLS_AT
        self.cells = memoryview(memory)[start : start + 8 * CELLS].cast("q")
        """To write: only for who has claimed the row, and holds it as long as it has them."""

    @property
    def is_current(self) -> bool:
        """Whether the row has not been given back."""
        return bool(self._generations[self.number] == self._generation)

    @property
    def is_taken(self) -> bool:
        """Whether the row had a name when it was looked for."""
        return bool(self._generation % 2)

    @property
    def is_shared(self) -> bool:
        """Whether others can read it."""
        return isinstance(self._memory, mmap.mmap)

    def values(self) -> list[int]:
        """Return the numbers, for one who has not claimed it; zeros if it has been given back."""
        values: list[int] = self.cells.tolist()
        return values if self.is_current else [0] * CELLS

    @property
    def text(self) -> str:
        """What was written last, cut to what fits; empty if the row has been given back."""
        text = read_text(self._memory, self._at + TEXT_AT)
        return text if self.is_current else ""

    @text.setter
    def text(self, text: str) -> None:
        write_text(self._memory, self._at + TEXT_AT, text.encode()[:MAX_TEXT_BYTES])


def private_row(name: str) -> Row:
    """Return a row that is in no table, for when none is to be had."""
    return Row(bytearray(ROW_BYTES), 0, name, memoryview(bytes(8)).cast("q"))


class SharedTable:
    """Rows by name, for this process and those forked from it.

    Workers' own rows, in which they are heard of, may use `spare_rows` beyond the others.
    """

    def __init__(self, most_rows: int, spare_rows: int = 0) -> None:
        self._most_rows = most_rows
        self._memory = TableMemory(most_rows + spare_rows)
        # As far as this process has read:
        self._changes = 0
        self._rows: dict[str, Row] = {}
        self._names: dict[int, str] = {}
        self._free: set[int] = set()
        self._held: dict[int, weakref.ref[memoryview]] = {}
        self.client_areas = ClientAreas()
        self.slots = self._memory.head[HeadCell.SLOTS :][:1]
        """One cell: how many slots of workers there have been, those that are free included."""

    def claim(self, name: str) -> Row:
        """Return the row of that name, and hold it; a new one's numbers are 0.

        Raises:
            TableFullError: the name is new, and every row is in use.
            ValueError: the name is empty, or has more than `MAX_NAME_BYTES`.
        """
        encoded = name.encode()
        if not 0 < len(encoded) <= MAX_NAME_BYTES:
            raise ValueError(f"a name of {len(encoded)} bytes")
        with self._memory.locked():
            self._read_changes()
            if name not in self._rows:
                self._memory.take(self._find_free(name), encoded)
                self._read_changes()
            return self._hold(self._rows[name])

    def claim_or_private(self, name: str) -> Row:
        """Return the row of that name; one that nobody else reads when there is no room.

        The log tells of that once.
        """
        try:
            return self.claim(name)
        except TableFullError:
            return private_row(name)

    def find(self, name: str) -> Row | None:
        """Return the row of that name to read it, if anybody has claimed it."""
        self._read_changes()
        return self._rows.get(name)

    def rows(self) -> list[Row]:
        """All rows that have names, to read them."""
        self._read_changes()
        return list(self._rows.values())

    def use(self) -> TableUse:
        """Tell how full it is."""
        self._read_changes()
        return TableUse(len(self._rows), self._most_rows, self._memory.head[HeadCell.REFUSED])

    def locked(self) -> AbstractContextManager[None]:
        """Let no row be given back meanwhile, so that one may write where `find` leads."""
        return self._memory.locked()

    def close(self) -> None:
        """Claim no more rows; the memory goes when the last one is forgotten."""
        self._memory.close()

    def enter(self, holder: int) -> None:
        """Reckon with a process that will hold rows; to be called before it claims any."""
        self._memory.held_us[holder] = now_us()
        self.slots[0] = max(self.slots[0], holder + 1)

    def leave(self, holder: int) -> None:
        """Take note that a process has ended: it holds nothing any more."""
        self._memory.held_us[holder] = 0

    def touch(self, holder: int) -> None:
        """Say which rows this process holds: those whose cells it still has.

        While another process changes rows, this is left to the next time.
        """
        memory = self._memory
        with memory.locked_at_once() as is_locked:
            if not is_locked:
                return
            self._held = {n: cells for n, cells in self._held.items() if cells() is not None}
            now = now_us()
            for number in self._held:
                memory.used_us[number] = now
            memory.held_us[holder] = now

    def reclaim(self, kept_s: float = KEPT_S) -> None:
        """Give back the rows of every subject that nobody has held for so long.

        Earlier, and the oldest first, while the table is nearly full. Only one process does that,
        and while another one changes rows, it is left to the next time.
        """
        for row in self.rows():
            subject_of(row.name)  # is remembered: new names are taken apart without the lock
        with self._memory.locked_at_once() as is_locked:
            if not is_locked:
                return
            self._read_changes()
            wanted = len(self._rows) - self._most_rows * _NEARLY_FULL
            kept_since_us = now_us() - kept_s * 1e6
            given_back = 0
            for used_us, numbers in find_unused(self._memory, self._names):
                is_wanted = used_us < kept_since_us or given_back < wanted
                if not is_wanted or given_back >= _MOST_AT_ONCE:
                    break
                for number in numbers:
                    self._memory.give_back(number)
                given_back += len(numbers)
            self._read_changes()

    def _hold(self, read: Row) -> Row:
        """Return a row that is this process's as long as somebody here has its cells."""
        number = read.number
        self._memory.used_us[number] = now_us()
        held = self._held.get(number)
        row = self._row(number, read.name)
        cells = None if held is None else held()
        if cells is None:
            self._held[number] = weakref.ref(row.cells)
        else:
            row.cells = cells
        return row

    def _row(self, number: int, name: str) -> Row:
        memory = self._memory
        return Row(memory.map, memory.row_at(number), name, memory.generations, number)

    def _read_changes(self) -> None:
        """Learn which rows have been taken or given back by others."""
        self._changes, numbers = self._memory.changed_since(self._changes)
        for number in numbers:
            self._read_row(number)

    def _read_row(self, number: int) -> None:
        """Take over a row that has another name now, or none."""
        before = self._names.pop(number, None)
        if before is not None and self._rows[before].number == number:
            del self._rows[before]
        row = self._row(number, "")
        row.name = self._memory.name(number)
        if row.is_taken and row.is_current:
            self._rows[row.name] = row
            self._names[number] = row.name
            self._free.discard(number)
        else:
            self._free.add(number)

    def _find_free(self, name: str) -> int:
        """Return a row that has no name; with the lock."""
        limit = self._memory.most_rows if is_of_worker(name) else self._most_rows
        if len(self._rows) >= limit:
            self._refuse(name)
            raise TableFullError(f"all {limit} rows are in use")
        return self._free.pop() if self._free else self._memory.head[HeadCell.ROWS]

    def _refuse(self, name: str) -> None:
        head = self._memory.head
        head[HeadCell.REFUSED] += 1
        if not head[HeadCell.TOLD]:
            head[HeadCell.TOLD] = True
            structlog.get_logger().error(
                "shared_table_full",
                rows=self._most_rows,
                first_refused=name.replace("\t", " "),
                remedy="have fewer workers, or fewer routes, backends and mirrors: each worker"
                " counts in rows of its own",
            )
