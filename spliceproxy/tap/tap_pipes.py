"""The pipes into which copies are made."""

from spliceproxy.kernel import syscalls
from spliceproxy.kernel.pipes import NoPipeError, Pipe, PipePool, PipeStatistics
from spliceproxy.tap.chunk import PipeChunk


class TapPipes:
    """The pipes that a worker's taps use: a pool of their own, and one that is read from.

    They are apart from those of the flows, so that a mirror that lags can't take them away. A
    tee is complete only into an empty pipe with at least as many slots: no pipe of the flows may
    be larger than the scratch pipe, and a smaller one of this pool is passed over.
    """

    def __init__(self, pool: PipePool) -> None:
        self.pool = pool
        self._scratch: Pipe | None = pool.borrow()
        self.capacity_bytes = self._scratch.capacity_bytes

    def duplicate(self, source: Pipe, count: int) -> PipeChunk | None:
        """Copy the first bytes of a pipe by page reference; None when no pipe is large enough."""
        pipe = self._borrow(source.capacity_bytes)
        if pipe is None:
            return None
        return PipeChunk(self.pool, pipe, _tee(source, pipe, count))

    def _borrow(self, least_bytes: int) -> Pipe | None:
        """Borrow an empty pipe; None when there is none, or none that is large enough."""
        try:
            pipe = self.pool.borrow()
        except NoPipeError:
            return None
        if pipe.capacity_bytes >= least_bytes:
            return pipe
        self.pool.give_back(pipe)
        return None

    def read(self, source: Pipe, count: int) -> bytes:
        """Read a copy of the first bytes of a pipe, which stay in it.

        It is shorter, or empty, where the kernel does not give it.
        """
        scratch = self._scratch
        if scratch is None:
            scratch = self._scratch = self._borrow(self.capacity_bytes)
        if scratch is None:
            return b""
        try:
            return scratch.read_all(_tee(source, scratch, count))
        except OSError:
            # What is left in it would be taken for the beginning of the next copy.
            self._scratch = None
            self.pool.discard(scratch)
            return b""

    def statistics(self) -> PipeStatistics:
        """Count the pipes; the one that is read from is empty between two events, and so idle."""
        counted, own = self.pool.statistics(), int(self._scratch is not None)
        return PipeStatistics(counted.in_use - own, counted.idle + own, counted.capacity_bytes)

    def close(self) -> None:
        """Close all pipes that are not on their way."""
        if self._scratch is not None:
            self.pool.discard(self._scratch)
            self._scratch = None
        self.pool.close()


def _tee(source: Pipe, destination: Pipe, count: int) -> int:
    """Tee, and take a refusal for a copy of nothing: the branch notes what it missed."""
    try:
        return syscalls.tee(source.read_fd, destination.write_fd, count)
    except OSError:
        return 0
