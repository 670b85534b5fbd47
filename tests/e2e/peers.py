"""Scripted peers on plain sockets, for what no real program can be made to do on request."""

import hashlib
import random
import socket
import struct
from types import TracebackType
from typing import Self

TIMEOUT_S = 20


class Backend:
    """A listening socket whose connections the test plays by hand."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.address = "127.0.0.1:{1}".format(*self._listener.getsockname())

    def accept(self, timeout_s: float = TIMEOUT_S) -> socket.socket:
        self._listener.settimeout(timeout_s)
        connection, _ = self._listener.accept()
        connection.settimeout(TIMEOUT_S)
        return connection

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._listener.close()


def random_bytes(total_bytes: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(total_bytes)


def receive_exactly(connection: socket.socket, total_bytes: int) -> bytes:
    received = bytearray()
    while len(received) < total_bytes:
        chunk = connection.recv(min(1 << 20, total_bytes - len(received)))
        assert chunk, f"the end came after {len(received)} of {total_bytes} bytes"
        received += chunk
    return bytes(received)


def receive_to_end(connection: socket.socket) -> bytes:
    received = bytearray()
    while chunk := connection.recv(1 << 20):
        received += chunk
    return bytes(received)


def reset(connection: socket.socket) -> None:
    """Close so that the other side gets a reset instead of an end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def sha256(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()


def connect_from(source: str, port: int) -> socket.socket:
    """Connect to a local port from one of this machine's addresses."""
    return socket.create_connection(
        ("127.0.0.1", port), timeout=TIMEOUT_S, source_address=(source, 0)
    )


def is_ended(connection: socket.socket) -> bool:
    """Whether the other side has ended the connection, in whatever way, without a byte."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def is_turned_away(source: str, port: int) -> bool:
    """Whether a client with that address is ended without a byte, however soon that comes."""
    try:
        with connect_from(source, port) as client:
            return is_ended(client)
    except ConnectionResetError:  # before connect(2) had returned
        return True
