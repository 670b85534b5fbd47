"""What the bytes of one flow pass through: a borrowed pipe, or memory.

Both have the same two verbs. `fill` takes from a socket and is called only when nothing is
pending, so EAGAIN from it can only mean the socket. `drain` gives to a socket what is pending,
and may fall short.
"""

import errno
import os
import socket
from typing import Protocol

from spliceproxy.kernel import syscalls
from spliceproxy.kernel.pipes import NoPipeError, Pipe, PipePool

FILL_BYTES = 1 << 20
"""Most that one event moves, so that a bulk stream cannot starve a thousand small ones."""

COPY_BYTES = 64 << 10
"""Most that one event moves by copying, and most that a flow holds in memory."""

_REFUSALS = frozenset({errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.EOPNOTSUPP})
"""Not for this descriptor, this kernel, or inside this sandbox."""


class SpliceRefusedError(Exception):
    """Splicing is not to be had for this socket; copying is. Nothing was lost."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Buffer(Protocol):
    """Holds what was taken from the source and not yet given to the destination."""

    pending_bytes: int
    splices: bool

    def fill(self, source: socket.socket, source_fd: int) -> int:
        """Take what the source has; its count, 0 at the end of the stream."""

    def drain(self, destination: socket.socket, destination_fd: int) -> None:
        """Give on what is pending, as much as the destination has room for."""

    def take_bytes(self) -> bytes:
        """Empty the buffer into memory."""

    def discard(self) -> None:
        """Lose what is pending."""


class PipeBuffer:
    """A pipe of the pool, held only while bytes are in it."""

    __slots__ = ("_pipe", "_pool", "pending_bytes")
    splices = True

    def __init__(self, pool: PipePool) -> None:
        self._pool = pool
        self._pipe: Pipe | None = None
        self.pending_bytes = 0

    def fill(self, source: socket.socket, source_fd: int) -> int:
        """Splice from the socket into an empty pipe.

        Raises:
            BlockingIOError: the socket has nothing.
            SpliceRefusedError: see there; also when no pipe can be had.
            OSError: the socket's own error.
        """
        pool = self._pool
        try:
            pipe = pool.borrow()
        except NoPipeError as error:
            raise SpliceRefusedError(error.cause) from error
        try:
            count = syscalls.splice(
                source_fd, pipe.write_fd, FILL_BYTES, None, None, syscalls.SPLICE_NONBLOCK
            )
            if not count:
                count = _step_over_urgent_mark(source, pipe)
        except BlockingIOError:
            try:
                count = _step_over_urgent_mark(source, pipe)
            except OSError:
                pool.give_back(pipe)
                raise
        except OSError as error:
            pool.give_back(pipe)
            if error.errno in _REFUSALS:
                raise SpliceRefusedError(error) from error
            raise
        if count:
            self._pipe = pipe
            self.pending_bytes = count
        else:
            pool.give_back(pipe)
        return count

    def drain(self, destination: socket.socket, destination_fd: int) -> None:
        """Splice from the pipe into the socket.

        Raises:
            BlockingIOError: the socket has no room.
            SpliceRefusedError: see there.
            OSError: the socket's own error.
        """
        pipe = self._pipe
        assert pipe is not None, "drain is called only while bytes are pending"  # noqa: S101
        try:
            self.pending_bytes -= syscalls.splice(
                pipe.read_fd,
                destination_fd,
                self.pending_bytes,
                None,
                None,
                syscalls.SPLICE_NONBLOCK,
            )
        except OSError as error:
            if error.errno in _REFUSALS:
                raise SpliceRefusedError(error) from error
            raise
        if not self.pending_bytes:
            self._pool.give_back(pipe)
            self._pipe = None

    def take_bytes(self) -> bytes:
        """Read what is pending out of the pipe, and give the pipe back."""
        data = b""
        if self._pipe is not None:
            while len(data) < self.pending_bytes:
                data += os.read(self._pipe.read_fd, self.pending_bytes - len(data))
            self._pool.give_back(self._pipe)
            self._pipe = None
            self.pending_bytes = 0
        return data

    def discard(self) -> None:
        """Close the pipe if it holds bytes."""
        if self._pipe is not None:
            self._pool.discard(self._pipe)
            self._pipe = None
            self.pending_bytes = 0


def _step_over_urgent_mark(source: socket.socket, pipe: Pipe) -> int:
    """Take the byte behind an urgent mark, at which splice stops for ever.

    Before the mark splice says EAGAIN though epoll says readable; with a FIN behind it splice
    says 0, a false end. A real read steps over the mark (tcp_read_sock against tcp_recvmsg,
    net/ipv4/tcp.c) and tells a true end from it. The urgent byte itself is out of band and is
    not forwarded.
    """
    data = syscalls.receive(source, 1)
    return os.write(pipe.write_fd, data) if data else 0


class MemoryBuffer:
    """Bytes copied through this process: the same semantics without splice."""

    __slots__ = ("_rest", "pending_bytes")
    splices = False

    def __init__(self, pending: bytes = b"") -> None:
        self._rest: bytes | memoryview = pending
        self.pending_bytes = len(pending)

    def fill(self, source: socket.socket, source_fd: int) -> int:
        """Read from the socket; raises its error, BlockingIOError when it has nothing."""
        data = syscalls.receive(source, COPY_BYTES)
        self._rest = data
        self.pending_bytes = len(data)
        return len(data)

    def drain(self, destination: socket.socket, destination_fd: int) -> None:
        """Write to the socket; raises its error, BlockingIOError when it has no room."""
        sent = syscalls.send(destination, self._rest)
        self.pending_bytes -= sent
        self._rest = memoryview(self._rest)[sent:] if self.pending_bytes else b""

    def take_bytes(self) -> bytes:
        """Hand over what is pending."""
        data = bytes(self._rest)
        self.discard()
        return data

    def discard(self) -> None:
        """Forget what is pending."""
        self._rest = b""
        self.pending_bytes = 0
