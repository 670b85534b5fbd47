"""Reads of files that would wait for a disk, in threads, so that they hold up one answer only."""

import contextlib
import os
from collections.abc import Callable
from typing import TypeVar

import trio

from spliceproxy.kernel import page_syscalls
from spliceproxy.kernel.page_syscalls import PAGE_BYTES
from tools.companions.origin.counts import Count, Row

Result = TypeVar("Result")

_PROBE_DISTANCE_BYTES = 128 << 10  # the kernel reads ahead at least so much at once by default


class ColdReader:
    """Brings parts of files into memory; at most so many at a time, in threads."""

    def __init__(self, threads: int, counts: Row) -> None:
        self._limiter = trio.CapacityLimiter(threads)
        self._counts = counts
        self._null_fd = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)

    async def bring_in(self, fd: int, offset: int, count: int) -> None:
        """Return when a range is in memory, at once if it is there.

        Pages may be taken away again before they are sent; that is rare, and then waited for.

        Raises:
            OSError: as read(2).
        """
        if not is_in_memory(fd, offset, count):
            await self.run(lambda: self._read_in(fd, offset, count))

    async def read(self, fd: int, count: int, offset: int) -> bytes:
        """Return a few bytes of a file; fewer where it ends.

        Raises:
            OSError: as read(2).
        """
        memory = bytearray(count)
        try:
            found = page_syscalls.read_now(fd, memory, offset)
        except OSError:  # a file system that cannot tell
            if is_in_memory(fd, offset, count):
                return os.pread(fd, count, offset)
            found = None
        if found == count:
            return bytes(memory)
        return await self.run(lambda: os.pread(fd, count, offset))

    async def run(self, step: Callable[[], Result]) -> Result:
        """Take a step that waits for a disk in a thread; a cancelled one is waited for."""
        self._counts[Count.COLD_READS] += 1
        return await trio.to_thread.run_sync(step, limiter=self._limiter)

    def _read_in(self, fd: int, offset: int, count: int) -> None:
        """Read a range without copying it: /dev/null takes references to pages, and drops them.

        As much again is read ahead, which goes on while the range is sent. The advice makes large
        reads of it, where sendfile would read what the open file is read ahead by.
        """
        os.posix_fadvise(fd, offset, 2 * count, os.POSIX_FADV_WILLNEED)
        end = offset + count
        while offset < end:
            taken = page_syscalls.sendfile(self._null_fd, fd, offset, end - offset)
            if not taken:  # it ends here; the sender will tell
                return
            offset += taken

    def close(self) -> None:
        """Close what it holds; no thread may be reading any more."""
        os.close(self._null_fd)


def is_in_memory(fd: int, offset: int, count: int) -> bool:
    """Whether a range of a file can be read without a disk; False also when that cannot be told.

    That every page is in the cache is not enough: the kernel puts those there that it reads ahead,
    and fills them later. They are behind the others, so the last one is tried. File systems in
    memory refuse to be tried, but count their pages.
    """
    last = offset + count - 1
    with contextlib.suppress(OSError):
        if page_syscalls.read_now(fd, bytearray(1), last) is None:
            return False
    try:
        pages = last // PAGE_BYTES - offset // PAGE_BYTES + 1
        return page_syscalls.cached_pages(fd, offset, count) >= pages
    except OSError:
        return _is_there_as_probed(fd, offset, last)


def _is_there_as_probed(fd: int, offset: int, last: int) -> bool:
    """Try a byte here and there, for a kernel that does not count cached pages."""
    probe = bytearray(1)
    try:
        return all(
            page_syscalls.read_now(fd, probe, position) is not None
            for position in range(offset, last + 1, _PROBE_DISTANCE_BYTES)
        )
    except OSError:
        return False
