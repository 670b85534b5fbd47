"""The system calls of the data path, one name each.

Callers reach them as attributes of this module (``syscalls.splice(...)``), which makes it the
one seam where a test can put a fault: an errno at the nth call, a short count, a refusal.
"""

import ctypes
import fcntl
import os
import socket
import struct
import termios

SPLICE_NONBLOCK = os.SPLICE_F_NONBLOCK
"""Covers the pipe end only; the sockets must be O_NONBLOCK themselves (splice(2))."""

SPLICE_MORE = SPLICE_NONBLOCK | os.SPLICE_F_MORE
"""Holds back the last, partly filled segment, for up to 200 ms: only where an end of stream
follows at once."""

# splice(source, destination, count, offset_source, offset_destination, flags) -> int.
# Always pass exactly the bytes known to be in a pipe as count: with more, and 16 or 48 buffers
# in the pipe, the kernel marks the last batch MSG_MORE and the tail waits 200 ms
# (fs/splice.c, splice_to_socket).
splice = os.splice

_SIOCATMARK = 0x8905  # asm-generic/sockios.h

_SEND_MORE = socket.MSG_NOSIGNAL | socket.MSG_MORE

_libc = ctypes.CDLL(None, use_errno=True)
_libc.tee.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_size_t, ctypes.c_uint)
_libc.tee.restype = ctypes.c_ssize_t


def tee(source_fd: int, destination_fd: int, count: int) -> int:
    """Duplicate up to ``count`` bytes of one pipe into another, consuming nothing (tee(2)).

    It starts at the head of the source at every call, so a short result cannot be resumed:
    tee only into an empty pipe that has at least as many slots as the source.

    Raises:
        OSError: as tee(2); BlockingIOError when the destination is full.
    """
    copied: int = _libc.tee(source_fd, destination_fd, count, SPLICE_NONBLOCK)
    if copied < 0:
        errno = ctypes.get_errno()
        raise OSError(errno, os.strerror(errno))
    return copied


def make_pipe() -> tuple[int, int]:
    """Make a non-blocking pipe that no child inherits; (read end, write end)."""
    return os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)


def set_pipe_capacity(fd: int, capacity_bytes: int) -> int:
    """Resize a pipe; the capacity that the kernel gave, in bytes (F_SETPIPE_SZ, fcntl(2)).

    Raises:
        PermissionError: over the user's quota (fs.pipe-user-pages-soft) without CAP_SYS_RESOURCE.
    """
    return fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, capacity_bytes)


def pipe_capacity(fd: int) -> int:
    """Capacity of a pipe in bytes; 4096 for each slot."""
    return fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ)


# read(fd, count) -> bytes, write(fd, data) -> int: of a pipe or a file, for bytes that have to
# pass through this process. Python itself repeats what a signal has interrupted (PEP 475).
read = os.read
write = os.write


def receive(sock: socket.SocketType, count: int) -> bytes:
    """Take up to ``count`` bytes from a socket; empty at its end."""
    return sock.recv(count)


def peek(sock: socket.SocketType, count: int) -> bytes:
    """Return what ``receive`` would, and leave it there."""
    return sock.recv(count, socket.MSG_PEEK)


def is_at_mark(sock: socket.SocketType) -> bool:
    """Whether the next byte is behind an urgent mark (SIOCATMARK, sockatmark(3))."""
    try:
        answer = fcntl.ioctl(sock.fileno(), _SIOCATMARK, bytes(4))
    except OSError:  # not every kernel has marks in unix sockets (unix(7))
        return False
    return bool(struct.unpack("i", answer)[0])


def send(sock: socket.SocketType, data: bytes | memoryview, *, more: bool = False) -> int:
    """Hand bytes to a socket; how many it took. A dead peer is an errno, never SIGPIPE."""
    return sock.send(data, _SEND_MORE if more else socket.MSG_NOSIGNAL)


def accept(listener: socket.socket, family: int) -> tuple[socket.SocketType, object]:
    """Take one connection from a listener's backlog; its socket is non-blocking.

    What `socket.accept` adds costs more than the call itself, and leaves the socket blocking:
    O_NONBLOCK is not inherited (accept(2)), and SPLICE_F_NONBLOCK does not stand in for it.
    """
    fd, address = listener._accept()  # type: ignore[attr-defined]
    try:
        sock = socket.SocketType(family, socket.SOCK_STREAM, 0, fd)
    except BaseException:
        os.close(fd)
        raise
    sock.setblocking(False)
    return sock, address


def connect(sock: socket.SocketType, address: object) -> int:
    """Start or look after a non-blocking connect; 0 when connected, else an errno."""
    return sock.connect_ex(address)  # type: ignore[arg-type]  # typeshed: a sockaddr of any family


def open_socket(family: int) -> socket.SocketType:
    """Make a non-blocking stream socket."""
    return socket.SocketType(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)


def unread_bytes(fd: int) -> int:
    """Bytes that wait in a pipe, asked at either end (FIONREAD, pipe(7))."""
    answer = fcntl.ioctl(fd, termios.FIONREAD, bytes(4))
    return int(struct.unpack("i", answer)[0])


def unacknowledged_bytes(sock: socket.SocketType) -> int:
    """Bytes that a TCP socket has taken and its peer has not acknowledged (SIOCOUTQ, tcp(7))."""
    answer = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4))
    return int(struct.unpack("i", answer)[0])
