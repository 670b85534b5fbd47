"""A file and its share of the page cache: how much is there, bring it in, throw it out."""

from __future__ import annotations

import itertools
import mmap
import os
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from spliceproxy.kernel import page_syscalls
from tools.companions.pagecache.errors import PageCacheError

_READ_BYTES = 1 << 20
_SHADES = " ░▒▓█"  # from none of the pages to all of them


@dataclass(frozen=True)
class Residency:
    """One byte for each page of a file: 1 where it is in memory."""

    pages: bytes

    @property
    def resident_pages(self) -> int:
        return self.pages.count(1)

    def describe(self) -> str:
        share = self.resident_pages / len(self.pages)
        size_mib = self.resident_pages * mmap.PAGESIZE / (1 << 20)
        return (
            f"{self.resident_pages:,} of {len(self.pages):,} pages resident "
            f"({share:.1%}, {size_mib:,.1f} MiB)"
        )

    def picture(self, width: int) -> str:
        """Draw the file from its beginning to its end in so many characters."""
        count = len(self.pages)
        width = min(width, count)
        edges = [column * count // width for column in range(width + 1)]
        return "".join(_shade(self.pages[begin:end]) for begin, end in itertools.pairwise(edges))


def _shade(pages: bytes) -> str:
    """Return a shade that is blank only for nothing, and full only for everything."""
    return _SHADES[-(-pages.count(1) * 3 // len(pages)) + (0 not in pages)]


class CachedFile:
    """An open regular file that is not empty."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.fd = fd
        self.size_bytes = os.fstat(fd).st_size
        # Filled, so that its own page faults come now and not in a pass that is measured.
        self._buffer = bytearray(b"\xff") * _READ_BYTES

    def residency(self) -> Residency:
        """Ask mincore(2), which brings no page in."""
        # Private and never written: mincore's wrapper takes the address of writable memory only.
        with closing(mmap.mmap(self.fd, self.size_bytes, access=mmap.ACCESS_COPY)) as mapping:
            found = page_syscalls.mincore(mapping, 0, self.size_bytes)
        return Residency(bytes(page & 1 for page in found))

    def mapped(self, flags: int = 0) -> mmap.mmap:
        """Map the file for reading."""
        return mmap.mmap(self.fd, self.size_bytes, mmap.MAP_SHARED | flags, mmap.PROT_READ)

    def may_know_residency(self) -> bool:
        """Whether mincore answers truly: to all others it says that every page is resident.

        Since Linux 5.2 it tells only the owner and those who may write (mm/mincore.c,
        can_do_mincore), since the answer was used to spy on what others read.
        """
        is_owner = os.fstat(self.fd).st_uid == os.geteuid()
        return is_owner or os.access(self.path, os.W_OK, effective_ids=True)

    def warm(self) -> None:
        """Read it once from end to end."""
        offset = 0
        while count := os.preadv(self.fd, [self._buffer], offset):
            offset += count

    def drop(self) -> None:
        """Ask the kernel to forget its pages; dirty ones are written first, or they would stay.

        Pages stay that others map or that are locked, and all of a file system in memory.
        """
        os.fsync(self.fd)
        os.posix_fadvise(self.fd, 0, 0, os.POSIX_FADV_DONTNEED)


@contextmanager
def opened(path: Path) -> Iterator[CachedFile]:
    """Open a file for the length of the block.

    Raises:
        PageCacheError: it is no regular file, it is empty, or it cannot be opened.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO must not wait
    except OSError as error:
        raise PageCacheError(f"{path}: {error.strerror}") from error
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise PageCacheError(f"{path} is no regular file; only those are cached by pages")
        if not status.st_size:
            raise PageCacheError(f"{path} is empty; there is nothing to cache")
        yield CachedFile(path, fd)
    finally:
        os.close(fd)
