"""A gigabyte through one mirror on the same machine: every byte is equal at both ends."""

import socket
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from .conftest import StartProxy
from .peers import Backend, random_bytes

pytestmark = pytest.mark.e2e

GIGABYTE = 1 << 30
BLOCK = random_bytes((1 << 20) - 7)


def send(client: socket.socket, total_bytes: int) -> int:
    """Send blocks that begin at another place each time; their checksum."""
    checksum = sent = 0
    view = memoryview(BLOCK)
    while sent < total_bytes:
        start = sent % 4093
        block = view[start : start + total_bytes - sent]
        client.sendall(block)
        checksum = zlib.crc32(block, checksum)
        sent += len(block)
    client.shutdown(socket.SHUT_WR)
    return checksum


def receive(connection: socket.socket) -> tuple[int, int]:
    """Receive to the end; how much it was, and its checksum."""
    buffer = bytearray(1 << 20)
    view = memoryview(buffer)
    checksum = received = 0
    while count := connection.recv_into(buffer):
        checksum = zlib.crc32(view[:count], checksum)
        received += count
    return received, checksum


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["on", "off"])
def test_a_gigabyte(start_proxy: StartProxy, mode: str) -> None:
    # In copy mode a part of it, so that the test takes as long.
    total_bytes = GIGABYTE if mode == "on" else GIGABYTE // 4
    with Backend() as backend, Backend() as mirror, ThreadPoolExecutor(3) as threads:
        arguments = ("--backend", backend.address, "--splice", mode, "--workers", "1")
        to = f"tcp://{mirror.address}"
        proxy = start_proxy(*arguments, "--mirror", f"{to}?overflow=block")
        with proxy.connect(60) as client, backend.accept() as server, mirror.accept() as copy:
            sent = threads.submit(send, client, total_bytes)
            delivered = threads.submit(receive, server)
            copied = threads.submit(receive, copy)
            assert delivered.result(55) == (total_bytes, sent.result(55))
            assert copied.result(55) == (total_bytes, sent.result())
        [line] = proxy.log.wait("connection")
    assert line["reason"] == "closed"
    [account] = line["mirrors"]
    assert account["to"] == to
    assert account["delivered_bytes"] == account["offered_bytes"] == total_bytes
    assert (account["state"], account["dropped_bytes"]) == ("complete", 0)
