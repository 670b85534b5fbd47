"""`--mirror exec:` with zstd: the compressed file gives the bytes back."""

import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import StartProxy
from .peers import Backend, random_bytes, receive_to_end

pytestmark = pytest.mark.e2e

REQUEST = random_bytes(3_000_000).hex().encode()
RESPONSE = b"the answer\n" * 100_000


def unpacked(zstd: str, path: Path) -> bytes:
    return subprocess.run([zstd, "-qdc", str(path)], stdout=subprocess.PIPE, check=True).stdout


@pytest.mark.parametrize("mode", ["on", "off"])
def test_zstd_gets_the_stream(
    start_proxy: StartProxy, program: Callable[[str], str], tmp_path: Path, mode: str
) -> None:
    zstd, requests, responses = program("zstd"), tmp_path / "in.zst", tmp_path / "out.zst"
    with Backend() as backend:
        proxy = start_proxy(
            *("--backend", backend.address, "--splice", mode),
            *("--mirror", f"exec:zstd -q -o {requests}?overflow=block"),
            *("--mirror", f"exec:zstd -q -o {responses}?direction=response&overflow=block"),
        )
        with proxy.connect() as client, backend.accept() as server:
            client.sendall(REQUEST)
            client.shutdown(socket.SHUT_WR)
            assert receive_to_end(server) == REQUEST
            server.sendall(RESPONSE)
            server.shutdown(socket.SHUT_WR)
            assert receive_to_end(client) == RESPONSE
        [line] = proxy.log.wait("connection")
        assert {account["state"] for account in line["mirrors"]} == {"complete"}
        assert {event["status"] for event in proxy.log.wait("command_ended", 2)} == {0}
    assert unpacked(zstd, requests) == REQUEST
    assert unpacked(zstd, responses) == RESPONSE


def test_a_zstd_that_fails_is_told_and_harms_nobody(
    start_proxy: StartProxy, program: Callable[[str], str], tmp_path: Path
) -> None:
    program("zstd")
    place = tmp_path / "missing" / "in.zst"
    with Backend() as backend:
        proxy = start_proxy("--backend", backend.address, "--mirror", f"exec:zstd -q -o {place}")
        with proxy.connect() as client, backend.accept() as server:
            client.sendall(REQUEST)
            client.shutdown(socket.SHUT_WR)
            assert receive_to_end(server) == REQUEST
        [line] = proxy.log.wait("connection")
        assert line["mirrors"][0]["state"] == "incomplete"
        [ended] = proxy.log.wait("command_ended")
        assert ended["status"] != 0
        assert "missing" in proxy.log.wait("command_stderr")[0]["line"]
