"""Bulk and small traffic both ways, against the demo's origin, in both modes."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from tools.demo.payload import blocks
from tools.demo.traffic import expected_sha256

from .conftest import StartProxy
from .peers import receive_exactly, receive_to_end, sha256

pytestmark = pytest.mark.e2e
MODES = pytest.mark.parametrize("mode", ["on", "off"])


def get(connection: socket.socket, total_bytes: int, seed: int) -> None:
    connection.sendall(f"GET {total_bytes} {seed}\n".encode())
    received = receive_exactly(connection, total_bytes)
    assert sha256(received) == expected_sha256(total_bytes, seed)


@MODES
def test_a_large_answer_and_its_log_line(start_proxy: StartProxy, origin: str, mode: str) -> None:
    proxy = start_proxy("--backend", origin, "--workers", "1", "--splice", mode)
    total_bytes = 64 << 20
    with proxy.connect() as client:
        client_port = client.getsockname()[1]
        get(client, total_bytes, 3)
    line = proxy.log.wait("connection")[0]
    assert line["reason"] == "closed"
    assert line["client"] == f"127.0.0.1:{client_port}"
    assert line["backend"] == origin
    assert line["listener"] == proxy.listener
    assert line["request_bytes"] == len(f"GET {total_bytes} 3\n")
    assert line["response_bytes"] == total_bytes
    all_bytes = line["request_bytes"] + line["response_bytes"]
    moved = (line["spliced_bytes"], line["copied_bytes"])
    assert moved == ((all_bytes, 0) if mode == "on" else (0, all_bytes))
    assert 0 <= line["connect_s"] <= line["duration_s"] < 60


@MODES
def test_a_large_request(start_proxy: StartProxy, origin: str, mode: str) -> None:
    proxy = start_proxy("--backend", origin, "--splice", mode)
    total_bytes = (48 << 20) + 12345
    with proxy.connect() as client:
        client.sendall(f"PUT {total_bytes}\n".encode())
        for block in blocks(total_bytes, 4):
            client.sendall(block)
        client.shutdown(socket.SHUT_WR)
        assert receive_to_end(client).decode().strip() == expected_sha256(total_bytes, 4)


@MODES
def test_many_requests_on_many_connections(start_proxy: StartProxy, origin: str, mode: str) -> None:
    proxy = start_proxy("--backend", origin, "--workers", "2", "--splice", mode)

    def talk(number: int) -> None:
        with proxy.connect() as client:
            for size in (1, 100, 0, 70_000, 5_000):
                get(client, size, number)

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(talk, range(300)))
    lines = proxy.log.wait("connection", count=300)
    assert {line["reason"] for line in lines} == {"closed"}
    assert sum(line["response_bytes"] for line in lines) == 300 * 75_101


def test_connections_without_a_byte(start_proxy: StartProxy, origin: str) -> None:
    proxy = start_proxy("--backend", origin)
    for _ in range(50):
        with proxy.connect() as client:
            client.shutdown(socket.SHUT_WR)
            assert client.recv(1) == b""
    lines = proxy.log.wait("connection", count=50)
    assert {(line["request_bytes"], line["response_bytes"]) for line in lines} == {(0, 0)}
