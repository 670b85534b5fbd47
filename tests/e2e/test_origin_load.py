"""The origin file server under many clients at once, some of which do not read."""

import hashlib
import re
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
import trio

from tools.companions.origin.senders import ORIGIN_METHODS

from .origin_server import OriginServer, origin_server
from .peers import random_bytes, sha256
from .servers import run

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

DOWNLOADS = 500
DOWNLOAD_BYTES = (1 << 20) + 17
SLOW_READERS = 100
SLOW_BYTES = 32 << 20
# A copy's buffer of 64 KiB for each, and what the connections themselves take.
SLOW_MEMORY_BYTES = SLOW_READERS * (128 << 10)


def get(port: int, target: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    return connection


async def download(port: int, all_asked: Callable[[], None], go: trio.Event) -> str:
    digest = hashlib.sha256()
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(b"GET /file HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        all_asked()
        await go.wait()
        received = bytearray()
        while b"\r\n\r\n" not in received:
            received += await stream.receive_some()
        digest.update(received.partition(b"\r\n\r\n")[2])
        async for chunk in stream:
            digest.update(chunk)
    return digest.hexdigest()


@pytest.mark.parametrize("method", ["auto", "splice", "mmap"])
async def test_five_hundred_downloads_at_once(tmp_path: Path, method: str) -> None:
    payload = random_bytes(DOWNLOAD_BYTES)
    await trio.Path(tmp_path, "file").write_bytes(payload)
    digests: list[str] = []
    go, asked = trio.Event(), 0

    def one_more() -> None:
        nonlocal asked
        asked += 1
        if asked == DOWNLOADS:
            go.set()  # nobody has read a byte so far: all of them are open at once

    with origin_server(tmp_path, "--method", method) as server, trio.fail_after(50):

        async def one() -> None:
            digests.append(await download(server.port, one_more, go))

        async with trio.open_nursery() as nursery:
            for _client in range(DOWNLOADS):
                nursery.start_soon(one)
    assert digests == [sha256(payload)] * DOWNLOADS


def anonymous_bytes(server: OriginServer) -> int:
    """Memory of the process's own; the pages of a mapped file are the page cache's."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.search(r"^RssAnon:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


@pytest.mark.parametrize("method", ORIGIN_METHODS)
def test_slow_readers_take_no_memory(tmp_path: Path, method: str) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(SLOW_BYTES)
    with origin_server(tmp_path, "--method", method) as server, ExitStack() as stack:
        with get(server.port, "/large") as connection:
            connection.recv(1)
        before_bytes = anonymous_bytes(server)
        readers = [stack.enter_context(get(server.port, "/large")) for _ in range(SLOW_READERS)]
        for reader in readers:
            assert reader.recv(1)
        assert anonymous_bytes(server) - before_bytes < SLOW_MEMORY_BYTES
        received_bytes = 1
        while chunk := readers[0].recv(1 << 20):
            received_bytes += len(chunk)
        assert received_bytes > SLOW_BYTES


def test_wrk_sees_no_error(tmp_path: Path, program: Callable[[str], str]) -> None:
    (tmp_path / "file").write_bytes(random_bytes(100_000))
    with origin_server(tmp_path) as server:
        argv = [program("wrk"), "--threads", "1", "--connections", "100", "--duration", "2s"]
        argv += ["--timeout", "20s"]
        output = run([*argv, f"{server.url}/file"])
        closing = run([*argv, "--header", "Connection: close", f"{server.url}/file"])
    for report in (output, closing):
        assert "Socket errors" not in report
        assert "Non-2xx" not in report
        assert re.search(r"[1-9]\d* requests in", report)
