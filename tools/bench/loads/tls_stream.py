"""Many bytes over one connection that speaks TLS, to the proxy or from it.

Started as a program: python -m tools.bench.loads.tls_stream PORT upload|download BYTES

It has one CPU for itself and the origin, so it takes as little as it can while it is measured:
what it sends was encrypted before, and what it receives is thrown away by the kernel, unread.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tools.bench import children, placement, ports
from tools.bench.errors import BenchError
from tools.bench.loads import tls_client

Direction = Literal["download", "upload"]
BLOCK_BYTES = 1 << 20
READ_BYTES = 16 << 20
TIMEOUT_S = 30.0
SLOWEST_BYTES_PER_S = 50e6


@dataclass(frozen=True)
class Transfer:
    """Bytes, of plaintext or of its records (0.1 % more), and how long they took."""

    size_bytes: int
    seconds: float


def run(
    port: int, direction: Direction, size_bytes: int, where: placement.Placement, directory: Path
) -> Transfer:
    argv = [*placement.taskset(where.load_cpus), sys.executable, "-m", __name__]
    argv += [str(port), direction, str(size_bytes)]
    timeout_s = TIMEOUT_S + size_bytes / SLOWEST_BYTES_PER_S
    try:
        return Transfer(**json.loads(children.run_to_end("tls-stream", argv, directory, timeout_s)))
    except (ValueError, TypeError) as error:
        raise BenchError(f"tls-stream: unreadable report ({error!r})") from error


def _download(connection: socket.socket, size_bytes: int) -> Transfer:
    with tls_client.context().wrap_socket(connection) as secured:
        buffer, received, began = bytearray(READ_BYTES), 0, time.monotonic()
        while received < size_bytes:
            # As a plain socket: it takes records, and drops them.
            count = socket.socket.recv_into(secured, buffer, READ_BYTES, socket.MSG_TRUNC)
            if not count:
                raise ConnectionError(f"closed after {received} bytes")
            received += count
        return Transfer(received, time.monotonic() - began)


def _upload(connection: socket.socket, size_bytes: int) -> Transfer:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = tls_client.context().wrap_bio(incoming, outgoing)
    _shake_hands(tls, connection, incoming, outgoing)
    records = _encrypt(tls, outgoing, size_bytes)
    began = time.monotonic()
    for piece in records:
        connection.sendall(piece)
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(BLOCK_BYTES):  # tickets, and the end once the origin has everything
        pass
    return Transfer(size_bytes, time.monotonic() - began)


def _shake_hands(
    tls: ssl.SSLObject, connection: socket.socket, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO
) -> None:
    while True:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            connection.sendall(outgoing.read())
            incoming.write(connection.recv(BLOCK_BYTES))
        else:
            connection.sendall(outgoing.read())
            return


def _encrypt(tls: ssl.SSLObject, outgoing: ssl.MemoryBIO, size_bytes: int) -> list[bytes]:
    """Return the records of that many bytes, and the end of the stream."""
    block, records = memoryview(os.urandom(BLOCK_BYTES)), []
    for at in range(0, size_bytes, BLOCK_BYTES):
        tls.write(block[: size_bytes - at])
        records.append(outgoing.read())
    try:
        tls.unwrap()
    except ssl.SSLWantReadError:  # the other side's goodbye comes later
        records.append(outgoing.read())
    return records


def main(port: int, direction: str, size_bytes: int) -> None:
    with socket.create_connection((ports.HOST, port), timeout=TIMEOUT_S) as connection:
        transfer = _download if direction == "download" else _upload
        print(json.dumps(vars(transfer(connection, size_bytes))))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
