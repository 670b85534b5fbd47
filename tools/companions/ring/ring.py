"""A ring as descriptors: made by one process, handed to another, opened as a writer or a reader."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from tools.companions.ring import memory
from tools.companions.ring.counters import (
    Counter,
    EventfdCounter,
    PolledCounter,
    require_ordered_stores,
)
from tools.companions.ring.ends import Reader, Writer

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

    @contextmanager
    def _opened(self) -> Iterator[tuple[memoryview, Counter, Counter]]:
        """Map the memory: its bytes, the count of bytes filled and that of bytes freed."""
        with memory.parts(memory.attach(self.memory_fd)) as (shared, filled, freed):
            if self.wake == "poll":
                yield shared, PolledCounter(filled), PolledCounter(freed)
            else:
                yield shared, EventfdCounter(self.filled_fd), EventfdCounter(self.freed_fd)

    @contextmanager
    def writer(self, reader_fd: int) -> Iterator[Writer]:
        """Open the writing end; `reader_fd` is a pidfd of the reader.

        Leaving the block without an exception closes the stream cleanly. An exception leaves it
        open, so that the reader meets the end of the process as a writer that died.
        """
        with self._opened() as (shared, filled, freed):
            end = Writer(shared, freed, filled, reader_fd)
            yield end
            end.close()

    @contextmanager
    def reader(self, writer_fd: int) -> Iterator[Reader]:
        """Open the reading end; `writer_fd` is a pidfd of the writer."""
        with self._opened() as (shared, filled, freed):
            end = Reader(shared, filled, freed, writer_fd)
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
