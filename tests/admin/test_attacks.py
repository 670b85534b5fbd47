"""What attackers have sent to the admin port: nothing of it is taken for an order."""

import socket
from contextlib import suppress
from pathlib import Path

import pytest
import trio
from structlog.testing import capture_logs

from spliceproxy.admin.connection import MAX_HEAD_BYTES, REQUEST_TIMEOUT_S
from spliceproxy.admin.guard import Guard
from spliceproxy.admin.messages import Request, Response
from spliceproxy.admin.server import Door, Server
from spliceproxy.kernel.sockets import prepare_stream
from tests.admin.serving import exchange, serving

HOST = b"Host: localhost\r\n"
ORDER = b"POST /api/drain HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
SMUGGLED = ORDER + b"Content-Length: 2\r\n\r\n{}"


class Orders:
    """Notes what has come through."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, bytes]] = []

    async def answer(self, request: Request) -> Response:
        self.heard.append((request.path, request.body))
        return Response(200, b"ok\n")


AMBIGUOUS = {
    "both lengths": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
    "a list of lengths": b"Content-Length: 4, 5\r\n\r\nabcd",
    "a length with a sign": b"Content-Length: +4\r\n\r\nabcd",
    "a length in hex": b"Content-Length: 0x4\r\n\r\nabcd",
    "an unknown coding": b"Transfer-Encoding: identity\r\n\r\nabcd",
    "two codings": b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a coding twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk with a sign": b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
    "a chunk without its end": b"Transfer-Encoding: chunked\r\n\r\n2\r\nabXX0\r\n\r\n",
    "a blank before a colon": b"Content-Length : 4\r\n\r\nabcd",
    "two hosts": b"Host: evil.example\r\nContent-Length: 0\r\n\r\n",
    "a zero byte": b"X: a\0b\r\nContent-Length: 0\r\n\r\n",
    "a carriage return": b"X: a\rHost: evil\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("rest", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
async def test_what_two_readers_may_read_differently_is_no_order(
    tmp_path: Path, rest: bytes
) -> None:
    orders = Orders()
    with capture_logs() as log:
        async with serving(tmp_path / "s", orders.answer):
            received = await exchange(tmp_path / "s", ORDER + rest + SMUGGLED)
    assert orders.heard == []
    assert received.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501"))
    assert received.count(b"HTTP/1.1") == 1
    assert log == []


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /api/status HTTP/1.1\r\n" + HOST + b"X: a\r\n folded: b\r\n\r\n",
        b"GET /api/status HTTP/1.1\nHost: localhost\n\n",
    ],
    ids=["folded", "bare line feeds"],
)
async def test_old_forms_hide_no_second_request(tmp_path: Path, sent: bytes) -> None:
    orders = Orders()
    async with serving(tmp_path / "s", orders.answer):
        received = await exchange(tmp_path / "s", sent)
    assert orders.heard in ([], [("/api/status", b"")])
    assert received.count(b"HTTP/1.1") == 1


async def test_a_chunked_body_is_a_body(tmp_path: Path) -> None:
    orders = Orders()
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)
    async with serving(tmp_path / "s", orders.answer):
        await exchange(tmp_path / "s", ORDER + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
    assert orders.heard == [("/api/drain", SMUGGLED)]


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /" + b"a" * 2 * MAX_HEAD_BYTES,
        b"GET / HTTP/1.1\r\n" + b"a" * 2 * MAX_HEAD_BYTES,
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * MAX_HEAD_BYTES,
        ORDER + b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * 2 * MAX_HEAD_BYTES,
        ORDER + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"A: b\r\n" * MAX_HEAD_BYTES,
    ],
    ids=["target", "header", "headers", "chunk size", "trailers"],
)
async def test_oversized_heads_are_not_kept(tmp_path: Path, sent: bytes) -> None:
    orders = Orders()
    async with serving(tmp_path / "s", orders.answer):
        received = await exchange(tmp_path / "s", sent)
    assert received.startswith(b"HTTP/1.1 4")
    assert orders.heard == []


async def test_a_head_that_comes_slowly_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert REQUEST_TIMEOUT_S <= 5
    monkeypatch.setattr("spliceproxy.admin.connection.REQUEST_TIMEOUT_S", 0.3)
    async with serving(tmp_path / "s", Orders().answer):
        stream = await trio.open_unix_socket(tmp_path / "s")
        async with stream, trio.open_nursery() as nursery:
            nursery.start_soon(trickle, stream)
            with trio.fail_after(10), suppress(trio.BrokenResourceError):
                assert await stream.receive_some() == b""
            nursery.cancel_scope.cancel()


async def trickle(stream: trio.SocketStream) -> None:
    for byte in b"GET /" + b"a" * 10_000:
        try:
            await stream.send_all(bytes([byte]))
        except trio.BrokenResourceError:
            return
        await trio.sleep(0.05)


async def test_a_slow_reader_gets_the_whole_answer_though_more_is_sent() -> None:
    body = bytes(200_000)

    async def answer(_request: Request) -> Response:
        return Response(200, body)

    with socket.create_server(("127.0.0.1", 0)) as sock:
        prepare_stream(sock, 0.0)  # as the proxy's own listeners: reset on close
        sock.setblocking(False)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Server([Door(sock, Guard())], answer).run)
            received = b""
            with trio.fail_after(20):
                async with await trio.open_tcp_stream(*sock.getsockname()) as client:
                    closing = b"Connection: close\r\n\r\nand more, which nobody reads"
                    await client.send_all(b"GET / HTTP/1.1\r\n" + HOST + closing)
                    await trio.sleep(0.5)
                    while data := await client.receive_some(1500):
                        received += data
                        await trio.sleep(0.002)
            nursery.cancel_scope.cancel()
    assert received.endswith(b"\r\n\r\n" + body)
