"""Several requests on one connection, and requests that are too large or too slow."""

from pathlib import Path

import pytest
import trio

from tools.companions.origin.limits import Limits

from .conftest import TEXT
from .serving import TIMEOUT_S, replies, request, serving, talk

SHORT = Limits(idle_timeout_s=0.2, request_timeout_s=0.2, linger_timeout_s=0.2)
GET = request("/text.txt")
LAST = request("/text.txt", Connection="close")


async def test_requests_one_after_the_other(root: Path) -> None:
    async with serving(root) as port, await trio.open_tcp_stream("127.0.0.1", port) as stream:
        with trio.fail_after(TIMEOUT_S):
            for _turn in range(3):
                await stream.send_all(GET)
                received = b""
                while not received.endswith(TEXT):
                    received += await stream.receive_some()
                assert [reply.body for reply in replies(received)] == [TEXT]


async def test_pipelined_requests_are_answered_in_their_order(root: Path) -> None:
    sent = GET + request("/nothing") + request("/empty") + LAST
    async with serving(root) as port:
        received = await talk(port, sent, is_open=True)
    assert [reply.status for reply in replies(received)] == [200, 404, 200, 200]


async def test_nothing_is_answered_after_the_last_request(root: Path) -> None:
    async with serving(root) as port:
        received = await talk(port, LAST + GET, is_open=True)
    (reply,) = replies(received)
    assert reply.headers["connection"] == "close"


async def test_http_1_0_closes(root: Path) -> None:
    async with serving(root) as port:
        received = await talk(port, b"GET /text.txt HTTP/1.0\r\n\r\n", is_open=True)
    (reply,) = replies(received)
    assert (reply.status, reply.headers["connection"]) == (200, "close")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # no Host
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", 400),
        (request(Transfer_Encoding="gzip"), 501),
        (request(X="x" * 70_000), 431),
        (request("/" + "a" * 70_000), 431),
        (request("/", "POST", Content_Length="70000"), 413),
        (request("/", "POST", Content_Length="9" * 20), 413),
        (request("/", "POST", Content_Length="9" * 30), 400),
    ],
)
async def test_requests_that_end_the_connection(root: Path, sent: bytes, status: int) -> None:
    async with serving(root) as port:
        received = await talk(port, sent, is_open=True)
    (reply,) = replies(received)
    assert (reply.status, reply.headers["connection"]) == (status, "close")


async def test_a_body_in_chunks_is_counted(root: Path) -> None:
    chunk = b"8000\r\n" + bytes(0x8000) + b"\r\n"
    head = request("/text.txt", Transfer_Encoding="chunked")
    async with serving(root) as port:
        small = replies(await talk(port, head + chunk + b"0\r\n\r\n" + LAST))
        large = replies(await talk(port, head + 3 * chunk, is_open=True))
    assert [reply.status for reply in small] == [200, 200]
    assert [reply.status for reply in large] == [413]


async def test_nobody_is_told_to_go_on_with_a_body(root: Path) -> None:
    sent = request("/text.txt", Content_Length="5", Expect="100-continue")
    async with serving(root) as port:
        (reply,) = replies(await talk(port, sent, is_open=True))
    assert (reply.status, reply.headers["connection"]) == (200, "close")


@pytest.mark.parametrize("sent", [b"G", GET[:-1], request("/", "POST", Content_Length="5")])
async def test_a_request_that_does_not_end_times_out(root: Path, sent: bytes) -> None:
    async with serving(root, limits=SHORT) as port:
        (reply,) = replies(await talk(port, sent, is_open=True))
    assert (reply.status, reply.headers["connection"]) == (408, "close")


async def test_a_silent_client_is_closed_without_a_word(root: Path) -> None:
    async with serving(root, limits=SHORT) as port:
        assert await talk(port, b"", is_open=True) == b""
        assert len(replies(await talk(port, GET, is_open=True))) == 1


async def test_connections_beyond_the_limit_wait_for_a_place(root: Path) -> None:
    async with serving(root, limits=Limits(max_connections=1)) as port:
        first = await trio.open_tcp_stream("127.0.0.1", port)
        await first.send_all(GET)
        await first.receive_some()
        async with await trio.open_tcp_stream("127.0.0.1", port) as second:
            await second.send_all(LAST)
            with trio.move_on_after(0.2):
                assert not await second.receive_some()
            await first.aclose()
            with trio.fail_after(TIMEOUT_S):
                assert await second.receive_some()


async def test_a_refused_head_has_no_body(root: Path) -> None:
    sent = request("/", "HEAD", Content_Length="70000")
    async with serving(root) as port:
        (reply,) = replies(await talk(port, sent, is_open=True), is_head=True)
    assert reply.status == 413


async def test_an_answer_is_not_destroyed_by_what_is_still_on_its_way(root: Path) -> None:
    async with serving(root) as port, await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(b"nonsense\r\n\r\n")
        with trio.fail_after(TIMEOUT_S):
            received = b"".join([chunk async for chunk in stream])
            # The server has said its last word, and must go on reading ours for a while.
            await stream.send_all(b"more")
            await stream.send_all(b"and more")
    assert replies(received)[0].status == 400
