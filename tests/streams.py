"""Connected TCP sockets on the loopback interface, with the buffers that a test wants."""

import socket
import struct
from dataclasses import dataclass

import pytest

RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Buffers:
    """Socket options that decide how much is under way; 0 leaves the kernel's choice."""

    send_bytes: int = 0
    receive_bytes: int = 0
    segment_bytes: int = 0

    def apply(self, sock: socket.SocketType) -> None:
        if self.send_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.send_bytes)
        if self.receive_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_bytes)
        if self.segment_bytes and sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, self.segment_bytes)


KERNEL_CHOICE = Buffers()
TINY = Buffers(send_bytes=2048, receive_bytes=2048, segment_bytes=536)


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6")


def tcp_pair(buffers: Buffers = KERNEL_CHOICE) -> tuple[socket.socket, socket.socket]:
    """Two non-blocking sockets, connected to each other."""
    with socket.socket() as listener:
        buffers.apply(listener)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        near = socket.socket()
        buffers.apply(near)
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        near.connect(listener.getsockname())
        far, _ = listener.accept()
    far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    near.setblocking(False)
    far.setblocking(False)
    return near, far


def reset(sock: socket.socket) -> None:
    """Close so that the other side gets a reset instead of an end."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    sock.close()


def fill_up(sock: socket.socket) -> int:
    """Send until nothing more fits; how many bytes that were."""
    sent = 0
    try:
        while True:
            sent += sock.send(bytes(1 << 16))
    except BlockingIOError:
        return sent
