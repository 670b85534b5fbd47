import email.parser
import email.policy
from pathlib import Path

import pytest

from .conftest import TEXT
from .serving import ask, serving


@pytest.mark.parametrize(
    ("header", "body", "content_range"),
    [
        ("bytes=0-0", TEXT[:1], "bytes 0-0/100"),
        ("bytes=90-", TEXT[90:], "bytes 90-99/100"),
        ("bytes=-7", TEXT[93:], "bytes 93-99/100"),
        ("bytes=5-14", TEXT[5:15], "bytes 5-14/100"),
    ],
)
async def test_one_range(root: Path, header: str, body: bytes, content_range: str) -> None:
    async with serving(root) as port:
        reply = await ask(port, "/text.txt", Range=header)
    assert (reply.status, reply.body) == (206, body)
    assert reply.headers["content-range"] == content_range


async def test_several_ranges_come_as_a_multipart(root: Path) -> None:
    async with serving(root) as port:
        reply = await ask(port, "/text.txt", Range="bytes=0-4, 50-54, -3")
    assert reply.status == 206
    kind = f"Content-Type: {reply.headers['content-type']}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(kind + reply.body)
    parts = [part for part in message.walk() if not part.is_multipart()]
    assert message.get_content_type() == "multipart/byteranges"
    assert [part.get_payload(decode=True) for part in parts] == [
        TEXT[:5],
        TEXT[50:55],
        TEXT[97:],
    ]
    assert [part["Content-Range"] for part in parts] == [
        "bytes 0-4/100",
        "bytes 50-54/100",
        "bytes 97-99/100",
    ]


async def test_a_range_behind_the_end(root: Path) -> None:
    async with serving(root) as port:
        reply = await ask(port, "/text.txt", Range="bytes=100-")
    assert (reply.status, reply.headers["content-range"]) == (416, "bytes */100")


async def test_a_head_and_a_bad_range_get_the_whole(root: Path) -> None:
    async with serving(root) as port:
        head = await ask(port, "/text.txt", "HEAD", Range="bytes=0-0")
        assert (head.status, head.headers["content-length"]) == (200, "100")
        assert (await ask(port, "/text.txt", Range="bytes=5-1")).body == TEXT


async def test_if_range(root: Path) -> None:
    async with serving(root) as port:
        etag = (await ask(port, "/text.txt")).headers["etag"]
        same = await ask(port, "/text.txt", Range="bytes=0-0", If_Range=etag)
        (root / "text.txt").write_bytes(TEXT + b"x")
        changed = await ask(port, "/text.txt", Range="bytes=0-0", If_Range=etag)
    assert (same.status, changed.status) == (206, 200)


async def test_conditions(root: Path) -> None:
    async with serving(root) as port:
        known = (await ask(port, "/text.txt")).headers
        not_modified = await ask(port, "/text.txt", If_None_Match=known["etag"])
        since = await ask(port, "/text.txt", If_Modified_Since=known["last-modified"])
        failed = await ask(port, "/text.txt", If_Match='"other"')
        first = await ask(port, "/text.txt", If_None_Match=known["etag"], Range="bytes=0-0")
    assert not_modified.status == since.status == first.status == 304
    assert not_modified.headers["etag"] == known["etag"]
    assert "content-length" not in not_modified.headers
    assert failed.status == 412
