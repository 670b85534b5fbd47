"""Records written into a file, through a map and by calls, and when they are on the disk.

A record is one page at an offset of its own. Every way leaves the same bytes in the file; what
differs is when they are safe from a power failure, and what that costs.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from random import Random
from types import MappingProxyType

from spliceproxy.kernel import page_syscalls
from spliceproxy.kernel.page_syscalls import MS_ASYNC, MS_SYNC, PAGE_BYTES


@dataclass(frozen=True)
class Target:
    """A file, and a shared map of all of it."""

    fd: int
    mapping: mmap.mmap

    def store(self, offset: int, record: bytes) -> None:
        self.mapping[offset : offset + len(record)] = record

    def settle(self) -> None:
        """Have every page written to and on the disk: fresh blocks cost more than others."""
        self.mapping[:] = bytes(len(self.mapping))
        self.sync(MS_SYNC)

    def sync(self, flags: int) -> None:
        page_syscalls.msync(self.mapping, 0, len(self.mapping), flags)


Write = Callable[[Target, int, bytes], object]
"""Write one record at an offset."""


def _store_and_sync_page(target: Target, offset: int, record: bytes) -> None:
    target.store(offset, record)
    page_syscalls.msync(target.mapping, offset, len(record), MS_SYNC)


def _store_and_sync_all(target: Target, offset: int, record: bytes) -> None:
    target.store(offset, record)
    target.sync(MS_SYNC)


def _store_and_ask(target: Target, offset: int, record: bytes) -> None:
    target.store(offset, record)
    page_syscalls.msync(target.mapping, offset, len(record), MS_ASYNC)


def _write(target: Target, offset: int, record: bytes) -> None:
    os.pwrite(target.fd, record, offset)


def _write_and_sync(target: Target, offset: int, record: bytes) -> None:
    os.pwrite(target.fd, record, offset)
    os.fdatasync(target.fd)


def _write_durably(target: Target, offset: int, record: bytes) -> None:
    os.pwritev(target.fd, [record], offset, os.RWF_DSYNC)


@dataclass(frozen=True)
class Way:
    """How each record is written, and what is done once behind the last one."""

    write: Write
    finish: Callable[[Target], object] = lambda _target: None
    is_durable: str = "no"
    """From when on a record outlives a power failure."""


WAYS: Mapping[str, Way] = MappingProxyType(
    {
        "map": Way(Target.store),
        "map, MS_ASYNC each": Way(_store_and_ask),
        "map, MS_SYNC once": Way(
            Target.store, lambda target: target.sync(MS_SYNC), is_durable="at the end"
        ),
        "map, MS_SYNC each": Way(_store_and_sync_page, is_durable="each"),
        "map, MS_SYNC each, all of it": Way(_store_and_sync_all, is_durable="each"),
        "pwrite": Way(_write),
        "pwrite, fdatasync once": Way(
            _write, lambda target: os.fdatasync(target.fd), is_durable="at the end"
        ),
        "pwrite, fdatasync each": Way(_write_and_sync, is_durable="each"),
        "pwrite, RWF_DSYNC": Way(_write_durably, is_durable="each"),
    }
)


def mapped(fd: int) -> closing[mmap.mmap]:
    """Map a file to be written to."""
    return closing(mmap.mmap(fd, os.fstat(fd).st_size, mmap.MAP_SHARED))


def draw_offsets(size_bytes: int, count: int) -> list[int]:
    """Draw so many pages, the same in every run."""
    pages = Random(count).choices(range(size_bytes // PAGE_BYTES), k=count)  # noqa: S311
    return [page * PAGE_BYTES for page in pages]


def record(way: Way, target: Target, offsets: Sequence[int], data: bytes) -> None:
    """Write a record at each offset."""
    for offset in offsets:
        way.write(target, offset, data)
    way.finish(target)
