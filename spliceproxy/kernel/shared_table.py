"""A table of numbers that processes share: what one writes, the others read without a message.

It outlives the process that wrote it. Rows are found by name and stay until the table goes, so
that whoever takes the place of a process goes on counting where it stopped.
"""

import fcntl
import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

CELLS = 32
MAX_NAME_BYTES = 254
MAX_TEXT_BYTES = 254

_NAME_AT, _TEXT_AT, _CELLS_AT = 0, 256, 512
_ROW_BYTES = _CELLS_AT + 8 * CELLS
_LENGTH = struct.Struct("=H")


class TableFullError(Exception):
    """No row is left for another name."""


class Row:
    """A name, 64-bit numbers and a text.

    One process writes a cell, any number read it. An aligned store of eight bytes is seen whole
    or not at all; a text may be seen half old, half new, and is for people to read.
    """

    __slots__ = ("_at", "_map", "cells", "name")

    def __init__(self, shared: mmap.mmap, at: int, name: str) -> None:
        self._map = shared
        self._at = at
        self.name = name
        start = at + _CELLS_AT
        self.cells = memoryview(shared)[start : start + 8 * CELLS].cast("q")

    @property
    def text(self) -> str:
        """What was written last, cut to what fits."""
        return _read_text(self._map, self._at + _TEXT_AT)

    @text.setter
    def text(self, text: str) -> None:
        _write_text(self._map, self._at + _TEXT_AT, text.encode()[:MAX_TEXT_BYTES])


class SharedTable:
    """Rows by name, for this process and those forked from it."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._map = mmap.mmap(-1, rows * _ROW_BYTES)  # a page costs nothing until it is used
        self._lock_fd = os.memfd_create("spliceproxy-lock", os.MFD_CLOEXEC)

    def claim(self, name: str) -> Row:
        """Return the row of that name; a new one's numbers are 0.

        Raises:
            TableFullError: the name is new, and there is no room.
            ValueError: the name is empty, or has more than `MAX_NAME_BYTES`.
        """
        wanted = name.encode()
        if not 0 < len(wanted) <= MAX_NAME_BYTES:
            raise ValueError(f"a name of {len(wanted)} bytes")
        with self._locked():
            first = int.from_bytes(blake2b(wanted, digest_size=8).digest()) % self._rows
            for number in range(self._rows):
                at = (first + number) % self._rows * _ROW_BYTES
                found = _read_bytes(self._map, at + _NAME_AT)
                if not found:
                    _write_text(self._map, at + _NAME_AT, wanted)
                    return Row(self._map, at, name)
                if found == wanted:
                    return Row(self._map, at, name)
        raise TableFullError(f"all {self._rows} rows are in use")

    def rows(self) -> Iterator[Row]:
        """All rows, in no order."""
        for at in range(0, self._rows * _ROW_BYTES, _ROW_BYTES):
            name = _read_text(self._map, at + _NAME_AT)
            if name:
                yield Row(self._map, at, name)

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


def _read_bytes(shared: mmap.mmap, at: int) -> bytes:
    (length,) = _LENGTH.unpack_from(shared, at)
    start = at + _LENGTH.size
    return shared[start : start + min(length, MAX_NAME_BYTES)]


def _read_text(shared: mmap.mmap, at: int) -> str:
    return _read_bytes(shared, at).decode(errors="replace")


def _write_text(shared: mmap.mmap, at: int, encoded: bytes) -> None:
    start = at + _LENGTH.size
    shared[start : start + len(encoded)] = encoded
    _LENGTH.pack_into(shared, at, len(encoded))
