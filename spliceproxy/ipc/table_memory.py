"""The memory of a shared table: what is where in it, and the lock of those who change its rows."""

import fcntl
import mmap
import os
import struct
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from enum import IntEnum

from spliceproxy.kernel.memory_file import make_memory_file

CELLS = 40
MAX_NAME_BYTES = 254
MAX_TEXT_BYTES = 254
MAX_HOLDERS = 4096
"""Processes that hold rows at a time: four times as many as there may be workers, for reloads."""
_LOG = 4096
"""Changes that are told of one by one; who comes later looks at all rows."""

NAME_AT, TEXT_AT, CELLS_AT = 0, 256, 512
ROW_BYTES = CELLS_AT + 8 * CELLS
_LENGTH = struct.Struct("=H")

Memory = mmap.mmap | bytearray


class HeadCell(IntEnum):
    """What is written of the table as a whole."""

    ROWS = 0  # that have ever been taken: those above have never been used
    CHANGES = 1  # how many times a row was taken or given back
    REFUSED = 2  # names for which there was no row
    TOLD = 3  # whether the log tells of that
    SLOTS = 4  # that workers have had


class TableMemory:
    """Columns of a cell for each row, then the rows themselves.

    A row's generation is odd while it has a name, and grows when the row is taken or given back:
    whoever has read a row without the lock looks at the generation again to know whose it was.
    """

    def __init__(self, most_rows: int) -> None:
        self.most_rows = most_rows
        columns = len(HeadCell) + MAX_HOLDERS + _LOG + 2 * most_rows
        self.rows_at = 8 * columns
        # A page costs nothing until it is used.
        self.map = mmap.mmap(-1, self.rows_at + most_rows * ROW_BYTES)
        cells = memoryview(self.map)[: self.rows_at].cast("q")
        self.head = cells[: len(HeadCell)]
        rest = cells[len(HeadCell) :]
        self.held_us = rest[:MAX_HOLDERS]
        """When each holder has last said what it holds; 0: there is no such holder."""
        rest = rest[MAX_HOLDERS:]
        self._log = rest[:_LOG]
        self.generations = rest[_LOG : _LOG + most_rows]
        self.used_us = rest[_LOG + most_rows :]
        """When somebody was last known to use a row."""
        self._lock_fd = make_memory_file("spliceproxy-lock")
        self._depth = 0

    def row_at(self, number: int) -> int:
        """Return where a row begins."""
        return self.rows_at + number * ROW_BYTES

    def name(self, number: int) -> str:
        """Return the name of a row."""
        return read_text(self.map, self.row_at(number) + NAME_AT)

    def take(self, number: int, encoded_name: bytes) -> None:
        """Give a row that is free a name; with the lock.

        Others are told before it is so, too: a process that is killed in between can't tell them.
        """
        self.head[HeadCell.ROWS] = max(self.head[HeadCell.ROWS], number + 1)
        self._note_change(number)
        write_text(self.map, self.row_at(number) + NAME_AT, encoded_name)
        self.generations[number] += 1  # after the name: whoever sees it finds that
        self._note_change(number)

    def give_back(self, number: int) -> None:
        """Free a row, and empty it for the next name; with the lock."""
        self.generations[number] += 1  # first: whoever reads it now finds out
        at = self.row_at(number)
        self.map[at : at + ROW_BYTES] = bytes(ROW_BYTES)
        self._note_change(number)

    def _note_change(self, number: int) -> None:
        changes = self.head[HeadCell.CHANGES]
        self._log[changes % _LOG] = number
        self.head[HeadCell.CHANGES] = changes + 1

    def changed_since(self, seen: int) -> tuple[int, Collection[int]]:
        """Return how many changes there are now, and the rows that have changed since then."""
        changes = self.head[HeadCell.CHANGES]
        numbers = {self._log[change % _LOG] for change in range(max(seen, changes - _LOG), changes)}
        if self.head[HeadCell.CHANGES] - seen > _LOG:  # some have been written over, maybe just now
            return changes, range(self.head[HeadCell.ROWS])
        return changes, numbers

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out; the kernel unlocks for one that dies (fcntl(2))."""
        if not self._depth:
            fcntl.lockf(self._lock_fd, fcntl.LOCK_EX)
        with self._unlocked_at_the_end():
            yield

    @contextmanager
    def locked_at_once(self) -> Iterator[bool]:
        """Keep other processes out, unless one is in: it may have been stopped there."""
        try:
            fcntl.lockf(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # EAGAIN or EACCES, says fcntl(2)
            yield False
            return
        with self._unlocked_at_the_end():
            yield True

    @contextmanager
    def _unlocked_at_the_end(self) -> Iterator[None]:
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                fcntl.lockf(self._lock_fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Change no more rows; the memory goes when nobody has any of it."""
        os.close(self._lock_fd)


def now_us() -> int:
    """Return the time by CLOCK_MONOTONIC, which all processes share."""
    return time.monotonic_ns() // 1000


def read_text(memory: Memory, at: int) -> str:
    """Return a text of a row."""
    (length,) = _LENGTH.unpack_from(memory, at)
    start = at + _LENGTH.size
    return memory[start : start + min(length, MAX_TEXT_BYTES)].decode(errors="replace")


def write_text(memory: Memory, at: int, encoded: bytes) -> None:
    """Write a text of a row, which has to fit."""
    start = at + _LENGTH.size
    memory[start : start + len(encoded)] = encoded
    _LENGTH.pack_into(memory, at, len(encoded))
