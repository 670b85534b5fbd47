"""A file read from end to end under a checksum: by calls, through one map, through windows."""

from __future__ import annotations

import mmap
import os
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager

GRANULARITY_BYTES = mmap.ALLOCATIONGRANULARITY


def by_read(fd: int, buffer_bytes: int) -> int:
    """Return the CRC-32 of a file, by reads into one buffer."""
    buffer = memoryview(bytearray(buffer_bytes))
    offset = checksum = 0
    while count := os.preadv(fd, [buffer], offset):
        checksum = zlib.crc32(buffer[:count], checksum)
        offset += count
    return checksum


@contextmanager
def whole_map(fd: int) -> Iterator[mmap.mmap]:
    """Map a file that is not empty for reading; its size is that of this moment."""
    with closing(mmap.mmap(fd, os.fstat(fd).st_size, access=mmap.ACCESS_READ)) as mapping:
        yield mapping


def by_map(mapping: mmap.mmap) -> int:
    """Return the CRC-32 of what is mapped. A second call finds every page mapped."""
    return zlib.crc32(mapping)


def by_new_map(fd: int, advice: int) -> int:
    """Return the CRC-32 of a file through a map of its own, for which advice is given first."""
    with whole_map(fd) as mapping:
        mapping.madvise(advice)
        return by_map(mapping)


def by_windows(fd: int, window_bytes: int) -> int:
    """Return the CRC-32 of a file, with no more than a window of it mapped at once.

    So a file may be larger than the address space, and no more of it counts as the process's own
    memory. A window starts at a multiple of the page size (mmap(2)).

    Raises:
        ValueError: the window is no multiple of the page size.
    """
    if window_bytes < 1 or window_bytes % GRANULARITY_BYTES:
        raise ValueError(
            f"a window of {window_bytes:,}: expected a multiple of {GRANULARITY_BYTES}"
        )
    size_bytes, checksum = os.fstat(fd).st_size, 0
    for offset in range(0, size_bytes, window_bytes):
        count = min(window_bytes, size_bytes - offset)
        with closing(mmap.mmap(fd, count, access=mmap.ACCESS_READ, offset=offset)) as window:
            checksum = zlib.crc32(window, checksum)
    return checksum
