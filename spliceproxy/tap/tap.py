"""A tap on a flow: copies of what the flow has taken branch off before any of it moves on.

A large bufferful is copied by page reference, tee(2), into a pipe for each branch. A small one
is read once for all of them: it costs as much as a tee, and it can be merged with the next one,
whereas a message of ten bytes would hold a whole pipe.
"""

import os
from typing import Protocol

from spliceproxy.kernel import syscalls
from spliceproxy.kernel.pipes import NoPipeError, Pipe, PipePool
from spliceproxy.tap.chunk import PipeChunk

SMALL_BYTES = 16 << 10
"""Up to here reading a copy is no dearer than handing on a pipe: both cost two system calls."""


class Branch(Protocol):
    """One receiver of copies."""

    holds: bool
    """The source is to be read no further until `Tap.release`."""

    def accept(self, count: int) -> int:
        """Say how many of the next ``count`` bytes, from the first on, it wants a copy of.

        What it does not want is its own to account for.
        """

    def take_bytes(self, data: bytes) -> None:
        """Take a copy that was accepted."""

    def take_pipe(self, chunk: PipeChunk) -> None:
        """Take a copy that was accepted, or the first part of it."""

    def miss(self, count: int) -> None:
        """Note that a copy that was accepted could not be made, wholly or in part."""

    def end(self, *, clean: bool) -> None:
        """No more is coming; clean: the stream has ended in an orderly way."""

    def on_crash(self, error: Exception) -> None:
        """One of these calls has failed in a way that nobody foresaw: give up."""


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


class Tap:
    """The branches of one flow."""

    __slots__ = ("_branches", "_pipes")

    def __init__(self, branches: list[Branch], pipes: TapPipes) -> None:
        self._branches = branches
        self._pipes = pipes

    @property
    def is_empty(self) -> bool:
        """Whether nobody wants copies any more."""
        return not self._branches

    def add(self, branch: Branch) -> None:
        """Copy to one more branch, from the next fill on."""
        self._branches = [*self._branches, branch]

    def remove(self, branch: Branch) -> None:
        """Copy to a branch no more; also while copies are being handed out."""
        self._branches = [other for other in self._branches if other is not branch]

    @property
    def holds(self) -> bool:
        """Whether a branch wants the source to wait."""
        return any(branch.holds for branch in self._branches)

    def copy_pipe(self, source: Pipe, count: int) -> None:
        """Copy what a flow has in its pipe to the branches that want it."""
        data: bytes | None = None
        for branch in self._branches:
            try:
                data = self._copy_to(branch, source, count, data)
            except Exception as error:  # it is that branch's, and must not reach the traffic
                branch.on_crash(error)

    def _copy_to(
        self, branch: Branch, source: Pipe, count: int, data: bytes | None
    ) -> bytes | None:
        """Give one branch its copy; returns what was read for it, for the next one."""
        wanted = branch.accept(count)
        if not wanted:
            return data
        chunk = self._pipes.duplicate(source, wanted) if wanted > SMALL_BYTES else None
        if chunk is not None and chunk.size:
            missed = wanted - chunk.size
            branch.take_pipe(chunk)
        else:
            if chunk is not None:
                chunk.discard()
            data = self._pipes.read(source, count) if data is None else data
            missed = wanted - len(data[:wanted])
            branch.take_bytes(data[:wanted])
        if missed:
            branch.miss(missed)
        return data

    def copy_bytes(self, data: bytes) -> None:
        """Hand what a flow has in memory to the branches that want it."""
        for branch in self._branches:
            try:
                wanted = branch.accept(len(data))
                if wanted:
                    branch.take_bytes(data[:wanted])
            except Exception as error:  # as above
                branch.on_crash(error)

    def end(self, *, clean: bool) -> None:
        """Tell the branches that no more is coming."""
        for branch in self._branches:
            try:
                branch.end(clean=clean)
            except Exception as error:  # as above
                branch.on_crash(error)
