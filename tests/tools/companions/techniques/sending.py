"""A file of telling content, and both ends of a socket that its range goes through."""

import os
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from tools.companions.techniques.sender import FileSender

PAGE = 4096
PIPE = 65536  # the kernel's default for a pipe, and the senders' default buffer
UNLIMITED = 1 << 40


def content(count: int) -> bytes:
    """Bytes without repetition: a lost or doubled page shows."""
    return random.Random(count).randbytes(count)


@contextmanager
def file_of(data: bytes) -> Iterator[int]:
    """Open a file in memory; the page cache holds it as it does any other."""
    fd = os.memfd_create("content", os.MFD_CLOEXEC)
    try:
        os.write(fd, data)
        yield fd
    finally:
        os.close(fd)


def deliver(
    sender: FileSender, near: socket.socket, far: socket.socket, limit_bytes: int = UNLIMITED
) -> bytes:
    """Send all that is left and read it at the other end, by turns; closes the sender."""
    received = bytearray()
    try:
        while wanted := sender.left_bytes:
            try:
                taken = sender.send_some(near, limit_bytes)
                assert 0 < taken <= min(wanted, limit_bytes)
                assert sender.left_bytes == wanted - taken
            except BlockingIOError:
                received += read_available(far)
    finally:
        sender.close()
    near.shutdown(socket.SHUT_WR)
    far.setblocking(True)
    while some := far.recv(1 << 20):
        received += some
    return bytes(received)


def read_available(sock: socket.socket) -> bytes:
    try:
        return sock.recv(1 << 20)
    except BlockingIOError:
        return b""
