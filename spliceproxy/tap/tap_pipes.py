"""The pipes into which copies are made."""

import os

from spliceproxy.kernel import syscalls
from spliceproxy.kernel.pipes import NoPipeError, Pipe, PipePool
from spliceproxy.tap.chunk import PipeChunk


class TapPipes:
    """The pipes that a worker's taps use: a pool of their own, and one that is read from.

    They are apart from those of the flows, so that a mirror that lags can't take them away. A
    tee is complete only into an empty pipe with at least as many slots: no pipe of the flows may
    be larger than the scratch pipe, and a smaller one of this pool is passed over.
    """

    def __init__(self, pool: PipePool) -> None:
        self.pool = pool
        self._scratch = pool.borrow()
        self.capacity_bytes = self._scratch.capacity_bytes

    def duplicate(self, source: Pipe, count: int) -> PipeChunk | None:
        """Copy the first bytes of a pipe by page reference; None when no pipe is large enough."""
        try:
            pipe = self.pool.borrow()
        except NoPipeError:
            return None
        if pipe.capacity_bytes < source.capacity_bytes:
            self.pool.give_back(pipe)
            return None
        return PipeChunk(self.pool, pipe, _tee(source, pipe, count))

    def read(self, source: Pipe, count: int) -> bytes:
        """Read a copy of the first bytes of a pipe, which stay in it."""
        scratch = self._scratch
        size = _tee(source, scratch, count)
        data = b""
        while len(data) < size:
            data += os.read(scratch.read_fd, size - len(data))
        return data

    def close(self) -> None:
        """Close all pipes that are not on their way."""
        self.pool.discard(self._scratch)
        self.pool.close()


def _tee(source: Pipe, destination: Pipe, count: int) -> int:
    """Tee, and take a refusal for a copy of nothing: the branch notes what it missed."""
    try:
        return syscalls.tee(source.read_fd, destination.write_fd, count)
    except OSError:
        return 0
