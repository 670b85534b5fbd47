"""The two steps of moving a stream by way of a pipe, and how to wait for a socket.

The steps are plain functions on non-blocking sockets: they move what they can, or raise
BlockingIOError. Waiting is the caller's.
"""

import os
import socket
from collections.abc import Callable

import trio

from spliceproxy.kernel import syscalls
from spliceproxy.kernel.pipes import Pipe


def fill(pipe: Pipe, sock: socket.socket, limit_bytes: int) -> int:
    """Move bytes from a socket into an empty pipe; how many, 0 at the stream's end.

    Splice stops for ever at the mark of urgent data, where it says EAGAIN, or 0 with a FIN behind
    it. A read of one byte steps over the mark, and tells a true end from it.

    Raises:
        BlockingIOError: nothing has arrived.
        OSError: as splice(2) and recv(2).
    """
    try:
        moved = syscalls.splice(
            sock.fileno(), pipe.write_fd, limit_bytes, None, None, syscalls.SPLICE_NONBLOCK
        )
    except BlockingIOError:
        moved = 0
    if moved:
        return moved
    data = syscalls.receive(sock, 1)
    return os.write(pipe.write_fd, data) if data else 0


def drain(pipe: Pipe, fd: int, held_bytes: int) -> int:
    """Move bytes from a pipe, which holds that many, to a socket or a file; how many.

    Raises:
        BlockingIOError: the socket is full.
        OSError: as splice(2).
    """
    return syscalls.splice(pipe.read_fd, fd, held_bytes, None, None, syscalls.SPLICE_NONBLOCK)


async def when_readable(sock: socket.socket, step: Callable[[], int]) -> int:
    """Take a step at once, or as soon as something has arrived."""
    while True:
        try:
            return step()
        except BlockingIOError:
            await trio.lowlevel.wait_readable(sock)


async def when_writable(sock: socket.socket, step: Callable[[], int]) -> int:
    """Take a step at once, or as soon as the socket has room."""
    while True:
        try:
            return step()
        except BlockingIOError:
            await trio.lowlevel.wait_writable(sock)
