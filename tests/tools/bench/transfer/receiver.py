"""The other end of a connection: it reads everything in a thread."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.streams import Buffers, tcp_pair

_READ_BYTES = 1 << 20


class Receiver:
    """Reads a socket to its end in a thread."""

    def __init__(self, sock: socket.socket) -> None:
        self.received = bytearray()
        self._sock = sock
        sock.settimeout(10)
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while data := self._sock.recv(_READ_BYTES):
            self.received += data

    def join(self) -> bytes:
        self._thread.join(20)
        return bytes(self.received)


@contextmanager
def connected(send_bytes: int = 0) -> Iterator[tuple[socket.socket, Receiver]]:
    near, far = tcp_pair(Buffers(send_bytes=send_bytes))
    with near, far:
        receiver = Receiver(far)
        yield near, receiver
        near.close()
        receiver.join()
