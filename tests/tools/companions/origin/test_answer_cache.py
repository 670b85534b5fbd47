"""Answers from memory: the same as before, as long as the file is the same."""

import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.lowlevel

from tools.companions.origin.answer_cache import AnswerCache
from tools.companions.origin.counts import Count, Counts
from tools.companions.origin.limits import Limits
from tools.companions.origin.request import Request
from tools.companions.origin.root import Root
from tools.companions.origin.site import Site

from .conftest import TEXT
from .serving import TIMEOUT_S, Reply, replies, request, serving, talk

HEADER = b"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nServer: x\r\n\r\n"
SETTLED_S = 1_000_000_000.0
PLAIN = request("/text.txt")
LAST = request("/text.txt", Connection="close")


@pytest.fixture(autouse=True)
def settled(root: Path) -> None:
    """Nobody has written to the files for long."""
    for path in root.rglob("*"):
        if path.is_file():
            os.utime(path, (SETTLED_S, SETTLED_S))


@pytest.fixture
def opened(root: Path) -> Iterator[Root]:
    found = Root(root)
    yield found
    found.close()


def cache_of(root: Root, *, capacity_bytes: int = 1 << 20, recheck_s: float = 0) -> AnswerCache:
    return AnswerCache(
        root, capacity_bytes=capacity_bytes, largest_body_bytes=1000, recheck_s=recheck_s
    )


def keep(cache: AnswerCache, root: Root, target: str) -> None:
    answer = Site(root).answer(Request("GET", target.encode(), {}))
    try:
        cache.keep(target.encode(), answer, HEADER)
    finally:
        answer.close()


@asynccontextmanager
async def talking(
    root: Path, *, limits: Limits | None = None, counts: Counts | None = None
) -> AsyncIterator[trio.SocketStream]:
    """Serve with a cache that looks at the file each time, and connect."""
    async with (
        serving(root, recheck_s=0, limits=limits, counts=counts) as port,
        await trio.open_tcp_stream("127.0.0.1", port) as stream,
    ):
        yield stream


async def exchange(stream: trio.SocketStream, sent: bytes) -> Reply:
    """Send a request over a connection that stays open; its answer has a body."""
    await stream.send_all(sent)
    received = b""
    with trio.fail_after(TIMEOUT_S):
        while b"\r\n\r\n" not in received or len(received.partition(b"\r\n\r\n")[2]) < int(
            received.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        ):
            some = await stream.receive_some()
            assert some
            received += some
    (reply,) = replies(received)
    return reply


async def test_the_second_answer_is_the_first_again(root: Path) -> None:
    counts = Counts()
    async with talking(root, counts=counts) as stream:
        answers = [await exchange(stream, PLAIN) for _turn in range(4)]
    for answer in answers[1:]:
        assert (answer.status, answer.body) == (200, TEXT)
        assert answer.headers.keys() == answers[0].headers.keys()
        for name in answer.headers.keys() - {"date"}:
            assert answer.headers[name] == answers[0].headers[name]
    totals = counts.totals()
    assert (totals[Count.REQUESTS], totals[Count.CACHED_ANSWERS]) == (4, 3)


async def test_other_requests_in_between_get_their_own_answers(root: Path) -> None:
    counts = Counts()
    others = [
        (request("/text.txt", Range="bytes=1-2"), 206, TEXT[1:3]),
        (request("/nothing"), 404, None),
        (request("/text.txt", If_Match='"x"'), 412, None),
        (request("/text.txt", "POST", Content_Length="0"), 405, None),
    ]
    async with serving(root, counts=counts, recheck_s=0) as port:
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await exchange(stream, PLAIN)
            for sent, status, body in others:
                reply = await exchange(stream, sent)
                assert reply.status == status
                assert body in (None, reply.body)
                assert (await exchange(stream, PLAIN)).body == TEXT
        both = replies(await talk(port, PLAIN + LAST, is_open=True))
        assert [reply.body for reply in both] == [TEXT, TEXT]
        (closing,) = replies(await talk(port, LAST, is_open=True))
        assert closing.headers["connection"] == "close"
    assert counts.totals()[Count.CACHED_ANSWERS] == len(others)


async def test_a_request_in_two_pieces(root: Path) -> None:
    async with talking(root) as stream:
        await exchange(stream, PLAIN)
        await stream.send_all(PLAIN[:9])
        await trio.sleep(0.05)
        assert (await exchange(stream, PLAIN[9:])).body == TEXT


async def test_a_changed_file_is_seen(root: Path) -> None:
    async with talking(root) as stream:
        await exchange(stream, PLAIN)
        assert (await exchange(stream, PLAIN)).body == TEXT
        (root / "text.txt").write_bytes(b"x" * len(TEXT))
        assert (await exchange(stream, PLAIN)).body == b"x" * len(TEXT)
        (root / "text.txt").unlink()
        assert (await exchange(stream, PLAIN)).status == 404
        (root / "text.txt").symlink_to("../secret")
        assert (await exchange(stream, PLAIN)).status == 403


async def test_an_idle_connection_is_closed_whatever_it_was_answered(root: Path) -> None:
    limits = Limits(idle_timeout_s=0.3)
    async with serving(root, recheck_s=0, limits=limits) as port:
        assert len(replies(await talk(port, PLAIN, is_open=True))) == 1
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            for _turn in range(5):  # longer than the timeout, but never silent for as long
                await exchange(stream, PLAIN)
                await trio.sleep(0.1)
            with trio.fail_after(TIMEOUT_S):
                assert await stream.receive_some() == b""


async def test_a_client_that_reads_nothing_is_cut(root: Path) -> None:
    counts = Counts()
    (root / "page").write_bytes(bytes(16_000))
    os.utime(root / "page", (SETTLED_S, SETTLED_S))
    limits = Limits(idle_timeout_s=0.3)
    async with talking(root, limits=limits, counts=counts) as stream:
        await exchange(stream, request("/page"))
        with trio.fail_after(TIMEOUT_S), pytest.raises(trio.BrokenResourceError):
            await send_for_ever(stream, request("/page"))
    assert counts.totals()[Count.CUT] == 1


async def send_for_ever(stream: trio.SocketStream, sent: bytes) -> None:
    """Ask one by one, as a plain request has to come, and read nothing."""
    while True:
        await stream.send_all(sent)
        await trio.lowlevel.checkpoint()


def test_an_answer_unchecked_is_good_for_a_while(root: Path, opened: Root) -> None:
    cache = cache_of(opened, recheck_s=1000)
    keep(cache, opened, "/text.txt")
    (root / "text.txt").unlink()
    found = cache.find(b"/text.txt")
    assert found is not None
    assert found.endswith(b"\r\nServer: x\r\n\r\n" + TEXT)
    year = time.strftime("%Y", time.gmtime()).encode()
    assert year in found.partition(b"GMT")[0]  # the date is today's


def test_a_file_that_is_just_written_is_not_kept(root: Path, opened: Root) -> None:
    cache = cache_of(opened)
    os.utime(root / "text.txt")
    keep(cache, opened, "/text.txt")
    assert cache.find(b"/text.txt") is None


def test_what_is_not_kept(root: Path, opened: Root) -> None:
    cache = cache_of(opened)
    (root / "large").write_bytes(bytes(1001))
    os.utime(root / "large", (SETTLED_S, SETTLED_S))
    for target in ("/large", "/text.txt?query", "/site"):
        keep(cache, opened, target)
        assert cache.find(target.encode()) is None
    keep(cache, opened, "/site/")
    assert cache.find(b"/site/") is not None


def test_a_file_that_changes_while_it_is_kept(root: Path, opened: Root) -> None:
    cache = cache_of(opened)
    answer = Site(opened).answer(Request("GET", b"/text.txt", {}))
    (root / "text.txt").write_bytes(b"x" * len(TEXT))
    cache.keep(b"/text.txt", answer, HEADER)
    answer.close()
    assert cache.held_bytes == 0


def test_the_answer_not_used_for_longest_goes(root: Path, opened: Root) -> None:
    cache = cache_of(opened, capacity_bytes=3000)
    for target in ("/text.txt", "/empty"):
        keep(cache, opened, target)
    assert cache.find(b"/text.txt") is not None
    keep(cache, opened, "/site/index.html")
    assert cache.find(b"/empty") is None
    assert cache.find(b"/text.txt") is not None
    assert cache.held_bytes <= 3000
    keep(cache, opened, "/text.txt")  # again: counted once
    assert cache.held_bytes <= 3000
