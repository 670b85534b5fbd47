"""Large pages, and memory that is given back: what the kernel makes of a piece of advice."""

from __future__ import annotations

import ctypes
import mmap
import os
import re
import struct
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tools.companions.mapped.cost import Cost, cost_of

MAP_HUGETLB = 0x40000  # linux/mman.h; the mmap module does not name it
HUGE_PAGE_BYTES = 2 << 20  # on x86, and on ARM with pages of 4 KiB

_ANONYMOUS = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
_FLAGS: Mapping[str, int] = MappingProxyType({"MAP_HUGETLB": _ANONYMOUS | MAP_HUGETLB})
_ADVICE: Mapping[str, int] = MappingProxyType(
    {"MADV_NOHUGEPAGE": mmap.MADV_NOHUGEPAGE, "MADV_HUGEPAGE": mmap.MADV_HUGEPAGE}
)
KINDS = (*_ADVICE, *_FLAGS)


@dataclass(frozen=True)
class Filled:
    """Fresh memory whose every page was written to once."""

    kind: str
    cost: Cost
    huge_bytes: int
    """How much of it is in large pages."""


def fill(kind: str, size_bytes: int) -> Filled:
    """Map memory of a kind and write to each page of it.

    Raises:
        OSError: ENOMEM: fewer pages are reserved (vm.nr_hugepages) than MAP_HUGETLB asks for.
            EINVAL: this kernel has no large pages.
    """
    before_bytes = _huge_bytes()
    with closing(mmap.mmap(-1, size_bytes, _FLAGS.get(kind, _ANONYMOUS))) as memory:
        if kind in _ADVICE:
            memory.madvise(_ADVICE[kind])
        ones = b"\x01" * (size_bytes // mmap.PAGESIZE)

        def touch() -> None:
            memory[:: mmap.PAGESIZE] = ones

        cost = cost_of(touch)
        return Filled(kind, cost, _huge_bytes() - before_bytes)


def _huge_bytes() -> int:
    """How much of this process's memory is in large pages (proc_pid_smaps(5))."""
    text = Path("/proc/self/smaps_rollup").read_text()
    names = "AnonHugePages|FilePmdMapped|Private_Hugetlb|Shared_Hugetlb"
    return sum(int(found) * 1024 for found in re.findall(rf"^(?:{names}): +(\d+) kB", text, re.M))


DROPPED = ("anonymous", "private map of a file", "shared map of a file")


@dataclass(frozen=True)
class Dropped:
    """Memory that was written to, given back by MADV_DONTNEED, and read again."""

    kind: str
    resident_bytes: int
    """Of it, and of this process, right behind the advice."""
    content: str
    """What is there when it is read again."""


def drop(kind: str) -> Dropped:
    """Write to memory of a kind, drop it, and look at it.

    MADV_DONTNEED takes the pages out of this process at once, whatever was written to them
    (madvise(2)): what only the process had is lost, what the page cache has is found again.
    """
    size_bytes = 16 * mmap.PAGESIZE
    with _made(kind, size_bytes) as memory:
        memory[:] = b"w" * size_bytes
        memory.madvise(mmap.MADV_DONTNEED)
        resident_bytes = _present_pages(memory) * mmap.PAGESIZE
        names = {0: "zeros", ord("f"): "the file's", ord("w"): "what was written"}
        return Dropped(kind, resident_bytes, names[memory[0]])


def _present_pages(memory: mmap.mmap) -> int:
    """How many pages of a map this process has at hand (/proc/PID/pagemap, bit 63).

    mincore(2) would tell of the page cache, whoever put the page there.
    """
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    pages = len(memory) // mmap.PAGESIZE
    with Path("/proc/self/pagemap").open("rb", 0) as pagemap:
        pagemap.seek(address // mmap.PAGESIZE * 8)
        entries = struct.unpack(f"={pages}Q", pagemap.read(8 * pages))
    return sum(entry >> 63 for entry in entries)


@contextmanager
def _made(kind: str, size_bytes: int) -> Iterator[mmap.mmap]:
    if kind == "anonymous":
        with closing(mmap.mmap(-1, size_bytes, _ANONYMOUS)) as memory:
            yield memory
        return
    flags = mmap.MAP_PRIVATE if kind.startswith("private") else mmap.MAP_SHARED
    fd = os.memfd_create("dropped", os.MFD_CLOEXEC)
    try:
        os.write(fd, b"f" * size_bytes)
        with closing(mmap.mmap(fd, size_bytes, flags)) as memory:
            yield memory
    finally:
        os.close(fd)
