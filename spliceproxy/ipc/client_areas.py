"""Memory in which each worker keeps numbers of clients, beside the shared table.

Clients are many, and come and go, so they have no rows there. Each worker has an area of its own by
its slot, in which it alone writes, and reads those of the others: so two that meet a client at the
same moment need no lock.
"""

import mmap
from typing import NamedTuple

WAYS = 8  # with their numbers two lines of the processor's cache
_SET_BYTES = 2 * WAYS * 8
_MOST_SLOTS = 1024
# Python has no name for MAP_NORESERVE before 3.13; the number is that of x86 and Arm.
_MAP_FLAGS = mmap.MAP_SHARED | getattr(mmap, "MAP_NORESERVE", 0x4000)


class AreaPart(NamedTuple):
    """Of a worker's area: where it begins, and how many clients it has cells for."""

    at: int
    clients: int

    @property
    def size_bytes(self) -> int:
        """How large it is."""
        return self.clients // WAYS * _SET_BYTES


CONNECTIONS = AreaPart(0, 1 << 14)
"""Open connections. A worker that has ended has none."""
BUCKETS = AreaPart(CONNECTIONS.size_bytes, 1 << 15)
"""When a token bucket is full again; that of a worker that has ended counts on."""
_AREA_BYTES = CONNECTIONS.size_bytes + BUCKETS.size_bytes


class ClientAreas:
    """The areas of all workers: 768 MiB of addresses, and memory as far as somebody looks there."""

    def __init__(self) -> None:
        self._slots = _MOST_SLOTS
        while True:
            try:
                self._map = mmap.mmap(-1, self._slots * _AREA_BYTES, _MAP_FLAGS)
                break
            except OSError:  # ENOMEM: addresses are limited, or the kernel reckons with all of it
                if self._slots == 1:
                    raise
                self._slots //= 2

    def part(self, slot: int, part: AreaPart) -> memoryview:
        """Return a part of a worker's area; beyond the last area it is that worker's alone."""
        if slot >= self._slots:
            return memoryview(bytearray(part.size_bytes)).cast("q")
        at = slot * _AREA_BYTES + part.at
        return memoryview(self._map)[at : at + part.size_bytes].cast("q")

    def clear(self, slot: int) -> None:
        """Let a worker that has ended have no connections any more."""
        if slot < self._slots:
            at, size = slot * _AREA_BYTES + CONNECTIONS.at, CONNECTIONS.size_bytes
            try:
                self._map.madvise(mmap.MADV_REMOVE, at, size)  # it reads as 0 then
            except OSError:  # EINVAL: the memory is locked (madvise(2)), or a sandbox can't do it
                self._map[at : at + size] = bytes(size)
