"""Bytes on their way to a mirror: a pipe that holds them, or memory."""

import os
from typing import Protocol

from spliceproxy.kernel import syscalls
from spliceproxy.kernel.pipes import Pipe, PipePool
from spliceproxy.kernel.sockets import Socket


class Chunk(Protocol):
    """Some bytes of one stream, in order."""

    size: int
    """How many are left."""
    offset: int
    """Where in the stream the first of them stands."""

    def write_to(self, fd: int) -> int:
        """Move some to a descriptor; how many. Raises what the descriptor answers."""

    def discard(self) -> None:
        """Drop what is left, and release what held it."""


class PipeChunk:
    """A pipe borrowed from a pool; it goes back when it is empty."""

    __slots__ = ("_pipe", "_pool", "offset", "size")

    def __init__(self, pool: PipePool, pipe: Pipe, size: int, offset: int = 0) -> None:
        self._pool = pool
        self._pipe = pipe
        self.size = size
        self.offset = offset

    def write_to(self, fd: int) -> int:
        """Splice into a socket, a pipe or a file (at its position)."""
        count = syscalls.splice(
            self._pipe.read_fd, fd, self.size, None, None, syscalls.SPLICE_NONBLOCK
        )
        self.size -= count
        self.offset += count
        return count

    def load(self, most_bytes: int) -> "BytesChunk":
        """Take the first bytes out, into memory."""
        data = os.read(self._pipe.read_fd, min(most_bytes, self.size))
        loaded = BytesChunk(data, self.offset)
        self.size -= len(data)
        self.offset += len(data)
        return loaded

    def discard(self) -> None:
        """Give the pipe back if it is empty; close it otherwise."""
        if self.size:
            self._pool.discard(self._pipe)
        else:
            self._pool.give_back(self._pipe)


class BytesChunk:
    """Bytes in memory; small ones are appended to the last of a queue."""

    __slots__ = ("_data", "_start", "offset", "size")

    def __init__(self, data: bytes, offset: int = 0) -> None:
        self._data = bytearray(data)
        self._start = 0
        self.size = len(data)
        self.offset = offset

    def merge(self, data: bytes, offset: int, most_bytes: int) -> bool:
        """Take bytes that follow at once, if there is room; whether it did.

        Not when something of it is written: it might never be done, and keep what was written.
        """
        size = self.size + len(data)
        if self._start or size > most_bytes or self.offset + self.size != offset:
            return False
        self._data += data
        self.size = size
        return True

    def write_to(self, fd: int) -> int:
        """Write; one call, so that a large chunk cannot keep the caller."""
        with memoryview(self._data) as view, view[self._start :] as rest:
            count = syscalls.write(fd, rest)
        self._start += count
        self.offset += count
        self.size -= count
        return count

    def send_by(self, sock: Socket) -> int:
        """Send, as `write_to`, by a socket that has its own way of doing that."""
        with memoryview(self._data) as view, view[self._start :] as rest:
            count = sock.send(rest)
        self._start += count
        self.offset += count
        self.size -= count
        return count

    def discard(self) -> None:
        """Forget the bytes."""
        self._data = bytearray()
        self._start = self.size = 0
