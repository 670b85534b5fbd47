"""Writing to a descriptor that other processes share, without ever waiting for its reader.

O_NONBLOCK on standard output is not ours to set: the flag belongs to the open file description,
which the shell and every other process in the pipeline share, and they would meet EAGAIN in
writes that they expect to wait. So each kind of descriptor has its own way not to wait.
"""

import os
import select
import socket
import stat
from typing import Protocol

CHUNK_BYTES = select.PIPE_BUF
"""Up to this many bytes, what several processes write to one pipe does not mix (pipe(7))."""


class LogOutlet(Protocol):
    """A descriptor to write to; `fd` is the one to wait on for room."""

    fd: int
    chunk_bytes: int
    """Whole lines are gathered up to this size before they are sent."""

    def send(self, chunk: bytes) -> int:
        """Write some of the chunk; BlockingIOError when nothing fits, OSError when it is over."""

    def close(self) -> None:
        """Close what was opened here; the shared descriptor stays open."""


class PrivateOutlet:
    """A pipe or a terminal, opened once more: the new file description is ours to configure.

    A write of at most PIPE_BUF bytes to a non-blocking pipe is all or nothing (pipe(7)).
    """

    chunk_bytes = CHUNK_BYTES

    def __init__(self, fd: int) -> None:
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        self.fd = os.open(f"/proc/self/fd/{fd}", flags)

    def send(self, chunk: bytes) -> int:
        """Write without waiting."""
        return os.write(self.fd, chunk[:CHUNK_BYTES])

    def close(self) -> None:
        """Close the second file description; later sends meet EBADF."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class SocketOutlet:
    """A socket, such as the one to the journal: not to wait is asked for in each call."""

    chunk_bytes = CHUNK_BYTES

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=os.dup(fd))
        self.fd = self._socket.fileno()

    def send(self, chunk: bytes) -> int:
        """Write without waiting."""
        return self._socket.send(chunk[:CHUNK_BYTES], socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)

    def close(self) -> None:
        """Close the duplicate."""
        self._socket.close()
        self.fd = -1


class PolledOutlet:
    """Anything else: regular files, which have always room, and pipes that may not be reopened.

    Linux reports POLLOUT for a pipe when a slot of a page is free, so that a write of at most
    PIPE_BUF bytes does not wait. One gap is left: another writer may take that last slot between
    the question and the write, and then the write waits for the reader.
    """

    chunk_bytes = CHUNK_BYTES

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)

    def send(self, chunk: bytes) -> int:
        """Write if there is room."""
        if not self._poll.poll(0):
            raise BlockingIOError
        return os.write(self.fd, chunk[:CHUNK_BYTES])

    def close(self) -> None:
        """Leave the shared descriptor as it is, and write no more to it."""
        self.fd = -1


def open_outlet(fd: int) -> LogOutlet:
    """Return the way to write to this descriptor that waits least."""
    mode = os.fstat(fd).st_mode
    if stat.S_ISSOCK(mode):
        return SocketOutlet(fd)
    # Not regular files: opened once more, they would be written from their start.
    if stat.S_ISFIFO(mode) or os.isatty(fd):
        try:
            return PrivateOutlet(fd)
        except OSError:  # another user's pipe, no /proc, or the reader has gone
            return PolledOutlet(fd)
    return PolledOutlet(fd)
