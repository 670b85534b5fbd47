"""Pipes, and the pool that lends them.

A connection borrows a pipe for one move and keeps it only while bytes are left in it, so idle
connections hold none and a busy worker needs a handful.
"""

import errno
import os
from dataclasses import dataclass
from typing import Protocol

from spliceproxy.kernel import syscalls

FULL_CAPACITY_BYTES = 1 << 20
"""Largest size an unprivileged user may ask for (fs.pipe-max-size). With 64 KiB bulk transfer
reached half of HAProxy's rate, with 256 KiB 0.8 to 0.9, with 1 MiB all of it."""

FULL_SIZE_PIPES = 64
"""At most this many full-size pipes at once in one worker. Their pages are charged to no socket,
so this is the bound on them: 64 MiB. It is also what an unprivileged user's quota gives."""

IDLE_PIPES = 64
"""Pipes kept open for the next borrower; more than that are closed when they come back."""

MAX_PIPES = 1024
"""Open at once in one pool, unless the file limit asks for fewer."""

_SMALLEST_RESIZE_BYTES = 128 << 10  # twice the kernel's default; below it resizing gains nothing


class NoPipeError(Exception):
    """No pipe can be had now: descriptors, memory or the user's pipe quota are used up."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Pipe:
    """A pipe's two ends. Capacity counts slots of a page: ten bytes may fill a whole one."""

    __slots__ = ("capacity_bytes", "read_fd", "write_fd")

    def __init__(self, wanted_bytes: int, most_bytes: int = FULL_CAPACITY_BYTES) -> None:
        self.read_fd, self.write_fd = syscalls.make_pipe()
        try:
            self.capacity_bytes = self._grow(wanted_bytes, most_bytes)
        except BaseException:
            self.close()
            raise

    def _grow(self, wanted_bytes: int, most_bytes: int) -> int:
        """Take the largest size that the quota gives; the kernel's default is the last resort."""
        while wanted_bytes >= _SMALLEST_RESIZE_BYTES:
            try:
                return syscalls.set_pipe_capacity(self.write_fd, wanted_bytes)
            except OSError:  # EPERM: quota; ENOMEM: no memory for the slots
                wanted_bytes //= 2
        given_bytes = syscalls.pipe_capacity(self.write_fd)
        if given_bytes > most_bytes:
            return syscalls.set_pipe_capacity(self.write_fd, most_bytes)  # shrinking is free
        return given_bytes

    def shrink(self, most_bytes: int) -> None:
        """Make an empty pipe no larger than that, which needs no quota."""
        if self.capacity_bytes > most_bytes:
            self.capacity_bytes = syscalls.set_pipe_capacity(self.write_fd, most_bytes)

    def read_all(self, count: int) -> bytes:
        """Take exactly so many bytes, which are known to be inside, however short a call falls.

        Raises:
            OSError: a call failed. What was taken before is lost, and the rest is still inside.
        """
        data = b""
        while len(data) < count:
            more = syscalls.read(self.read_fd, count - len(data))
            if not more:
                raise OSError(errno.EIO, "the pipe holds less than was put into it")
            data += more
        return data

    def write_all(self, data: bytes) -> None:
        """Put in all bytes, for which there is room, however short a call falls.

        Raises:
            OSError: a call failed. What was put in before is inside.
        """
        while data:
            count = syscalls.write(self.write_fd, data)
            if not count:
                raise OSError(errno.EIO, "the pipe takes nothing")
            data = data[count:]

    def close(self) -> None:
        """Close both ends; bytes inside are gone."""
        os.close(self.read_fd)
        os.close(self.write_fd)


@dataclass(frozen=True, slots=True)
class PipeStatistics:
    """What a pool holds at one moment."""

    in_use: int
    idle: int
    capacity_bytes: int


class PipeLender(Protocol):
    """Where a flow borrows its pipes; see `PipePool`."""

    def borrow(self) -> Pipe:
        """Lend an empty pipe."""

    def give_back(self, pipe: Pipe) -> None:
        """Take back a pipe that is empty."""

    def discard(self, pipe: Pipe) -> None:
        """Close a borrowed pipe, and lose what is in it."""


class PipePool:
    """Lends empty pipes. A pipe comes back empty, or is discarded."""

    def __init__(
        self,
        *,
        capacity_bytes: int = FULL_CAPACITY_BYTES,
        full_size_pipes: int = FULL_SIZE_PIPES,
        idle_pipes: int = IDLE_PIPES,
        max_pipes: int = MAX_PIPES,
    ) -> None:
        self._capacity_bytes = capacity_bytes
        self._full_size_pipes = full_size_pipes
        self._idle_pipes = idle_pipes
        self._max_pipes = max_pipes
        self._idle: list[Pipe] = []
        self._open = 0
        self._open_bytes = 0

    def borrow(self) -> Pipe:
        """Lend an empty pipe.

        Raises:
            NoPipeError: none is idle, and the pool's bound or the kernel allows no new one.
        """
        if self._idle:
            return self._idle.pop()
        if self._open >= self._max_pipes:
            raise NoPipeError(OSError(errno.EMFILE, "the worker has all the pipes it may have"))
        # Beyond the budget a pipe keeps the kernel's default size.
        full_size_bytes = self._full_size_pipes * self._capacity_bytes
        wanted_bytes = self._capacity_bytes if self._open_bytes < full_size_bytes else 0
        try:
            pipe = Pipe(wanted_bytes, self._capacity_bytes)
        except OSError as error:
            raise NoPipeError(error) from error
        self._open += 1
        self._open_bytes += pipe.capacity_bytes
        return pipe

    def give_back(self, pipe: Pipe) -> None:
        """Take back a pipe that is empty."""
        if len(self._idle) < self._idle_pipes:
            self._idle.append(pipe)
        else:
            self.discard(pipe)

    def discard(self, pipe: Pipe) -> None:
        """Close a borrowed pipe, and lose what is in it."""
        self._open -= 1
        self._open_bytes -= pipe.capacity_bytes
        pipe.close()

    @property
    def capacity_bytes(self) -> int:
        """No pipe of the pool is larger."""
        return self._capacity_bytes

    def borrow_at_most(self, most_bytes: int) -> Pipe:
        """Lend an empty pipe that is no larger than that, now and for those who get it later.

        Raises:
            NoPipeError: as `borrow`.
        """
        pipe = self.borrow()
        before_bytes = pipe.capacity_bytes
        pipe.shrink(most_bytes)
        self._open_bytes -= before_bytes - pipe.capacity_bytes
        return pipe

    def statistics(self) -> PipeStatistics:
        """Count the pipes."""
        return PipeStatistics(
            in_use=self._open - len(self._idle),
            idle=len(self._idle),
            capacity_bytes=self._open_bytes,
        )

    def close(self) -> None:
        """Close the idle pipes; those still lent are their borrowers' to discard."""
        while self._idle:
            self.discard(self._idle.pop())


class FittingPipes:
    """Lends the pipes of a pool, but none that is larger than those of its borrowers' mirrors."""

    def __init__(self, pool: PipePool, most_bytes: int) -> None:
        self._pool = pool
        self._most_bytes = most_bytes
        self.give_back = pool.give_back
        self.discard = pool.discard

    def borrow(self) -> Pipe:
        """Lend an empty pipe.

        Raises:
            NoPipeError: as `PipePool.borrow`.
        """
        return self._pool.borrow_at_most(self._most_bytes)


def fitting_pipes(pool: PipePool, most_bytes: int) -> PipeLender:
    """Lend the pool's pipes, none larger than that."""
    return pool if pool.capacity_bytes <= most_bytes else FittingPipes(pool, most_bytes)
