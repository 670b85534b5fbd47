"""Read-only maps of files, shared between requests and kept while they are used."""

import errno
import mmap
from collections import OrderedDict
from dataclasses import asdict, dataclass

from tools.companions.origin.answer import OpenFile
from tools.companions.origin.validators import FileVersion
from tools.companions.techniques.sender import FileShrunkError

_MADV_POPULATE_READ = 22  # Linux 5.14 (madvise(2)); the mmap module has no name for it


@dataclass(eq=False, slots=True)
class FileMap:
    """A whole file in memory, and how many requests send from it right now."""

    version: FileVersion
    memory: mmap.mmap
    view: memoryview
    borrowers: int = 0
    is_cached: bool = True

    def unmap(self) -> None:
        """Give the address space back."""
        self.view.release()
        self.memory.close()


@dataclass(slots=True)
class CacheStatistics:
    """What became of requests for maps, and what is mapped for the next ones."""

    hits: int = 0
    misses: int = 0
    stale: int = 0  # of the misses: the file had changed
    evictions: int = 0
    files: int = 0
    mapped_bytes: int = 0
    capacity_bytes: int = 0
    capacity_files: int = 0

    def as_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return asdict(self)


class FileCache:
    """Maps by device and inode, the least recently used one dropped first.

    A map is used again as long as mtime and size say that the file is the same. One that is
    dropped while it is sent from stays mapped until the last borrower gives it back. They are
    bounded by number too: each holds a descriptor, as long as it is mapped.
    """

    def __init__(self, capacity_bytes: int, capacity_files: int = 1000) -> None:
        self._maps: OrderedDict[tuple[int, int], FileMap] = OrderedDict()
        self.statistics = CacheStatistics(
            capacity_bytes=capacity_bytes, capacity_files=capacity_files
        )

    def borrow(self, file: OpenFile) -> FileMap:
        """Lend the map of a file, which may not be empty.

        Raises:
            FileShrunkError: the file has become smaller since it was opened.
            OSError: as mmap(2).
        """
        key = (file.version.device, file.version.inode)
        known = self._maps.get(key)
        if known is not None and known.version == file.version:
            self.statistics.hits += 1
            self._maps.move_to_end(key)
        else:
            self.statistics.misses += 1
            if known is not None:
                self.statistics.stale += 1
                self._drop(key)
            known = self._map(file)
        known.borrowers += 1
        return known

    def give_back(self, lent: FileMap) -> None:
        """End one use of a map."""
        lent.borrowers -= 1
        if not lent.borrowers and not lent.is_cached:
            lent.unmap()

    def preload(self, file: OpenFile) -> bool:
        """Map a file and read it in; False when that would drop another one."""
        stats = self.statistics
        if stats.files == stats.capacity_files:
            return False
        if stats.mapped_bytes + file.version.size_bytes > stats.capacity_bytes:
            return False
        lent = self.borrow(file)
        try:
            _read_in(lent.memory)
        finally:
            self.give_back(lent)
        return True

    def close(self) -> None:
        """Drop all maps; those still lent are unmapped when they come back."""
        while self._maps:
            self._drop(next(iter(self._maps)))

    def _map(self, file: OpenFile) -> FileMap:
        version = file.version
        try:
            memory = mmap.mmap(file.fd, version.size_bytes, access=mmap.ACCESS_READ)
        except ValueError:  # "mmap length is greater than file size"
            raise FileShrunkError(0, version.size_bytes) from None
        memory.madvise(mmap.MADV_WILLNEED)  # not SEQUENTIAL, which lets go of what was read
        fresh = FileMap(version, memory, memoryview(memory))
        if version.size_bytes > self.statistics.capacity_bytes:
            fresh.is_cached = False
            return fresh
        self._maps[version.device, version.inode] = fresh
        self.statistics.files += 1
        self.statistics.mapped_bytes += version.size_bytes
        while self._is_overfull():
            self._drop(next(iter(self._maps)))
            self.statistics.evictions += 1
        return fresh

    def _is_overfull(self) -> bool:
        stats = self.statistics
        return stats.mapped_bytes > stats.capacity_bytes or stats.files > stats.capacity_files

    def _drop(self, key: tuple[int, int]) -> None:
        dropped = self._maps.pop(key)
        self.statistics.files -= 1
        self.statistics.mapped_bytes -= dropped.version.size_bytes
        dropped.is_cached = False
        if not dropped.borrowers:
            dropped.unmap()


def _read_in(memory: mmap.mmap) -> None:
    try:
        memory.madvise(_MADV_POPULATE_READ)
    except OSError as error:  # an older kernel, which has been told MADV_WILLNEED
        if error.errno != errno.EINVAL:
            raise
