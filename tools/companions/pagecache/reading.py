"""What it costs to read a file, by read(2) and through a map, from memory and from the disk."""

from __future__ import annotations

import mmap
import resource
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from tools.companions.pagecache.cached_file import CachedFile

MADV_POPULATE_READ = 22  # linux/mman.h, Linux 5.14; the mmap module does not name it


@dataclass(frozen=True)
class Reading:
    """One pass over a file. Minor faults found their page in memory, major ones on the disk."""

    way: str
    is_cold: bool
    elapsed_s: float
    minor_faults: int
    major_faults: int


def _by_read(file: CachedFile) -> None:
    file.warm()


def _by_map(file: CachedFile, flags: int = 0, advice: int | None = None) -> None:
    """Map the file, and load one byte of every page."""
    with closing(file.mapped(flags)) as mapping:
        if advice is not None:
            mapping.madvise(advice)
        with memoryview(mapping) as view, view[:: mmap.PAGESIZE] as first_bytes:
            bytes(first_bytes)


WAYS: dict[str, Callable[[CachedFile], None]] = {
    "read(2)": _by_read,
    "map, lazy": _by_map,
    "map, MADV_RANDOM": lambda file: _by_map(file, advice=mmap.MADV_RANDOM),
    "map, MADV_SEQUENTIAL": lambda file: _by_map(file, advice=mmap.MADV_SEQUENTIAL),
    "map, MADV_WILLNEED": lambda file: _by_map(file, advice=mmap.MADV_WILLNEED),
    "map, MADV_POPULATE_READ": lambda file: _by_map(file, advice=MADV_POPULATE_READ),
    "map, MAP_POPULATE": lambda file: _by_map(file, mmap.MAP_POPULATE),
}


def measure(file: CachedFile, way: str, *, is_cold: bool) -> Reading:
    """Bring the file into the state that is asked for, read it once, and count.

    A lazy map takes fewer faults than there are pages: the kernel maps up to 16 neighbours that
    are in memory at each (fault_around_bytes, mm/memory.c), and whole large folios.

    Raises:
        OSError: the kernel does not know the advice (EINVAL before Linux 5.14).
    """
    if is_cold:
        file.drop()
    else:
        file.warm()
    before = resource.getrusage(resource.RUSAGE_SELF)
    began_s = time.perf_counter()
    WAYS[way](file)
    elapsed_s = time.perf_counter() - began_s
    after = resource.getrusage(resource.RUSAGE_SELF)
    return Reading(
        way,
        is_cold,
        elapsed_s,
        minor_faults=after.ru_minflt - before.ru_minflt,
        major_faults=after.ru_majflt - before.ru_majflt,
    )
