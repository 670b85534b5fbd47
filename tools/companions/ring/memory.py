"""The shared memory of a ring: a sealed memfd, mapped by both processes."""

import fcntl
import mmap
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

from tools.companions.ring.errors import RingError

COUNTERS_BYTES = mmap.PAGESIZE
"""In front of the bytes; holds the totals of the polled mode."""

CACHE_LINE_BYTES = 64
"""Totals lie in different lines, or each store would take the other side's line away."""

LARGEST_CAPACITY_BYTES = 1 << 30

_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


def size_of(capacity_bytes: int) -> int:
    """Return how much memory a ring takes.

    Raises:
        RingError: the capacity is not between 1 byte and 1 GiB.
    """
    if not 0 < capacity_bytes <= LARGEST_CAPACITY_BYTES:
        raise RingError(f"a ring of {capacity_bytes:,} bytes; use 1 to {LARGEST_CAPACITY_BYTES:,}")
    return COUNTERS_BYTES + capacity_bytes


def create(capacity_bytes: int) -> int:
    """Make the memory of a ring; its descriptor, which no program started later inherits.

    Its size is sealed: were the file cut, an access to the map would kill the other process with
    SIGBUS (memfd_create(2), mmap(2)).

    Raises:
        RingError: the capacity is not between 1 byte and 1 GiB.
    """
    size_bytes = size_of(capacity_bytes)
    fd = os.memfd_create("ring", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(fd, size_bytes)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    except BaseException:
        os.close(fd)
        raise
    return fd


def attach(fd: int) -> mmap.mmap:
    """Map a ring's memory, its own or one received from another process.

    Raises:
        RingError: the size is not sealed, or leaves no room for bytes.
    """
    if fcntl.fcntl(fd, fcntl.F_GET_SEALS) & _SEALS != _SEALS:
        raise RingError("the ring's memory is not sealed: its maker could cut it under our hands")
    return mapped(fd)


def mapped(fd: int) -> mmap.mmap:
    """Map memory that is known to keep its size.

    Raises:
        RingError: it leaves no room for bytes, or is larger than any ring.
    """
    size_bytes = os.fstat(fd).st_size
    if not COUNTERS_BYTES < size_bytes <= COUNTERS_BYTES + LARGEST_CAPACITY_BYTES:
        raise RingError(f"the ring's memory has {size_bytes:,} bytes")
    return mmap.mmap(fd, size_bytes, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)


@contextmanager
def parts(mapping: mmap.mmap) -> Iterator[tuple[memoryview, memoryview, memoryview]]:
    """Yield a ring's bytes, and its totals of bytes filled and of bytes freed.

    The map is unmapped behind them: a view that is left would hold it.
    """
    words_of_a_line = CACHE_LINE_BYTES // 8
    with (
        closing(mapping),
        memoryview(mapping) as whole,
        whole[COUNTERS_BYTES:] as shared,
        whole[: 2 * CACHE_LINE_BYTES].cast("Q") as words,
        words[:1] as filled,
        words[words_of_a_line:] as freed,
    ):
        yield shared, filled, freed
