"""A table of numbers that processes share: what one writes, the others read without a message.

It outlives the process that wrote it. Rows are found by name and stay until the table goes, so
that whoever succeeds a process goes on counting where it stopped.
"""

import fcntl
import mmap
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager

CELLS = 40
MAX_NAME_BYTES = 254
MAX_TEXT_BYTES = 254

_NAME_AT, _TEXT_AT, _CELLS_AT = 0, 256, 512
_ROW_BYTES = _CELLS_AT + 8 * CELLS
_HEAD_BYTES = 8  # how many rows there are
_LENGTH = struct.Struct("=H")
_COUNT = struct.Struct("=q")

Memory = mmap.mmap | bytearray


class TableFullError(Exception):
    """No row is left for another name."""


class Row:
    """A name, 64-bit numbers and a text.

    One process writes a cell, any number read it. An aligned store of eight bytes is seen whole
    or not at all; a text may be seen half old, half new, and is for people to read.
    """

    __slots__ = ("_at", "_memory", "cells", "name")

    def __init__(self, memory: Memory, at: int, name: str) -> None:
        self._memory = memory
        self._at = at
        self.name = name
        start = at + _CELLS_AT
        self.cells = memoryview(memory)[start : start + 8 * CELLS].cast("q")

    @property
    def text(self) -> str:
        """What was written last, cut to what fits."""
        return _read_text(self._memory, self._at + _TEXT_AT)

    @text.setter
    def text(self, text: str) -> None:
        _write_text(self._memory, self._at + _TEXT_AT, text.encode()[:MAX_TEXT_BYTES])


def private_row(name: str) -> Row:
    """Return a row that is in no table, for when none is to be had."""
    return Row(bytearray(_ROW_BYTES), 0, name)


class SharedTable:
    """Rows by name, for this process and those forked from it."""

    def __init__(self, most_rows: int) -> None:
        self._most_rows = most_rows
        # A page costs nothing until it is used.
        self._map = mmap.mmap(-1, _HEAD_BYTES + most_rows * _ROW_BYTES)
        self._lock_fd = os.memfd_create("spliceproxy-lock", os.MFD_CLOEXEC)
        self._rows: dict[str, Row] = {}  # as far as this process has read

    def claim(self, name: str) -> Row:
        """Return the row of that name; a new one's numbers are 0.

        Raises:
            TableFullError: the name is new, and there is no room.
            ValueError: the name is empty, or has more than `MAX_NAME_BYTES`.
        """
        encoded = name.encode()
        if not 0 < len(encoded) <= MAX_NAME_BYTES:
            raise ValueError(f"a name of {len(encoded)} bytes")
        with self._locked():
            self._read_new_rows()
            if name not in self._rows:
                self._append(name, encoded)
        return self._rows[name]

    def claim_or_private(
        self, name: str, on_full: Callable[[TableFullError], None] | None = None
    ) -> Row:
        """Return the row of that name; one that nobody else reads when there is no room.

        `on_full` is told so then.
        """
        try:
            return self.claim(name)
        except TableFullError as error:
            if on_full is not None:
                on_full(error)
            return private_row(name)

    def find(self, name: str) -> Row | None:
        """Return the row of that name, if anybody has claimed it."""
        self._read_new_rows()
        return self._rows.get(name)

    def rows(self) -> list[Row]:
        """All rows, in the order that they were claimed in."""
        self._read_new_rows()
        return list(self._rows.values())

    def _read_new_rows(self) -> None:
        # The count is written last: whatever it covers is complete.
        (count,) = _COUNT.unpack_from(self._map, 0)
        for number in range(len(self._rows), count):
            at = _row_at(number)
            name = _read_text(self._map, at + _NAME_AT)
            self._rows[name] = Row(self._map, at, name)

    def _append(self, name: str, encoded: bytes) -> None:
        count = len(self._rows)
        if count == self._most_rows:
            raise TableFullError(f"all {count} rows are in use")
        _write_text(self._map, _row_at(count) + _NAME_AT, encoded)
        self._rows[name] = Row(self._map, _row_at(count), name)
        _COUNT.pack_into(self._map, 0, count + 1)

    def close(self) -> None:
        """Claim no more rows; the memory goes when the last one is forgotten."""
        os.close(self._lock_fd)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other processes out; the kernel unlocks for one that dies (fcntl(2))."""
        fcntl.lockf(self._lock_fd, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._lock_fd, fcntl.LOCK_UN)


def _row_at(number: int) -> int:
    return _HEAD_BYTES + number * _ROW_BYTES


def _read_text(memory: Memory, at: int) -> str:
    (length,) = _LENGTH.unpack_from(memory, at)
    start = at + _LENGTH.size
    return memory[start : start + min(length, MAX_TEXT_BYTES)].decode(errors="replace")


def _write_text(memory: Memory, at: int, encoded: bytes) -> None:
    start = at + _LENGTH.size
    memory[start : start + len(encoded)] = encoded
    _LENGTH.pack_into(memory, at, len(encoded))
