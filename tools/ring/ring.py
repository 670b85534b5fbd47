"""A ring as descriptors: made by one process, handed to another, opened as a writer or a reader."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from tools.ring import memory
from tools.ring.counters import Counter, EventfdCounter, PolledCounter, require_ordered_stores
from tools.ring.ends import Reader, Writer

Wake = Literal["eventfd", "poll"]

_EVENTFD_FLAGS = os.EFD_CLOEXEC | os.EFD_NONBLOCK


@dataclass(frozen=True)
class Ring:
    """The descriptors that both processes need, and how they wake each other."""

    memory_fd: int
    filled_fd: int
    freed_fd: int
    wake: Wake

    @property
    def fds(self) -> tuple[int, int, int]:
        return self.memory_fd, self.filled_fd, self.freed_fd

    def _counters(self, shared: memoryview) -> tuple[Counter, Counter]:
        """Return the counts of bytes filled and of bytes freed."""
        if self.wake == "eventfd":
            return EventfdCounter(self.filled_fd), EventfdCounter(self.freed_fd)
        line = memory.CACHE_LINE_BYTES
        filled, freed = (shared[start : start + 8].cast("Q") for start in (0, line))
        return PolledCounter(filled), PolledCounter(freed)

    @contextmanager
    def writer(self, reader_fd: int) -> Iterator[Writer]:
        """Open the writing end; `reader_fd` is a pidfd of the reader.

        Leaving the block without an exception closes the stream cleanly. An exception leaves it
        open, so that the reader meets the end of the process as a writer that died.
        """
        shared = memoryview(memory.attach(self.memory_fd))
        filled, freed = self._counters(shared)
        end = Writer(shared[memory.COUNTERS_BYTES :], freed, filled, reader_fd)
        yield end
        end.close()

    @contextmanager
    def reader(self, writer_fd: int) -> Iterator[Reader]:
        """Open the reading end; `writer_fd` is a pidfd of the writer."""
        shared = memoryview(memory.attach(self.memory_fd))
        filled, freed = self._counters(shared)
        end = Reader(shared[memory.COUNTERS_BYTES :], filled, freed, writer_fd)
        try:
            yield end
        finally:
            end.close()


@contextmanager
def created(capacity_bytes: int, wake: Wake) -> Iterator[Ring]:
    """Make a ring for the length of the block.

    Raises:
        RingError: the capacity is out of bounds, or this machine cannot poll.
    """
    if wake == "poll":
        require_ordered_stores()
    opened: list[int] = []
    try:
        opened.append(memory.create(capacity_bytes))
        opened.extend(os.eventfd(0, _EVENTFD_FLAGS) for _ in range(2))
        yield Ring(opened[0], opened[1], opened[2], wake)
    finally:
        for fd in opened:
            os.close(fd)
