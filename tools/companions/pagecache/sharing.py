"""What becomes of bytes that are written through a map: private and shared, beside a file."""

from __future__ import annotations

import mmap
import os
import resource
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

PAGES = 256


@dataclass(frozen=True)
class Sharing:
    """One map of a file whose pages are all in memory, read and then written page by page."""

    kind: str
    faults_of_reading: int
    faults_of_writing: int
    is_seen_by_read: bool
    is_seen_by_other_maps: bool


@contextmanager
def _made_file() -> Iterator[int]:
    """Make a file in memory: this is about maps, and writes nothing to a disk."""
    fd = os.memfd_create("sharing", os.MFD_CLOEXEC)
    try:
        os.write(fd, b"a" * (PAGES * mmap.PAGESIZE))
        yield fd
    finally:
        os.close(fd)


def _minor_faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def observe(kind: str) -> Sharing:
    """Write through a map, and look at the file and at another map of it.

    `kind` is `private` (MAP_PRIVATE) or `shared` (MAP_SHARED). A private map's page is the page
    cache's own until it is written, which costs a fault and a copy (mmap(2)).
    """
    flags = mmap.MAP_PRIVATE if kind == "private" else mmap.MAP_SHARED
    size_bytes = PAGES * mmap.PAGESIZE
    with (
        _made_file() as fd,
        closing(mmap.mmap(fd, size_bytes, flags)) as written,
        closing(mmap.mmap(fd, size_bytes, mmap.MAP_SHARED, mmap.PROT_READ)) as other,
    ):
        began = _minor_faults()
        for offset in range(0, size_bytes, mmap.PAGESIZE):
            written[offset]
        read = _minor_faults()
        for offset in range(0, size_bytes, mmap.PAGESIZE):
            written[offset] = ord("b")
        wrote = _minor_faults()
        return Sharing(
            kind,
            faults_of_reading=read - began,
            faults_of_writing=wrote - read,
            is_seen_by_read=os.pread(fd, 1, 0) == b"b",
            is_seen_by_other_maps=other[0] == ord("b"),
        )
