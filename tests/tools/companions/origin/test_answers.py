import errno
import os
import time
from pathlib import Path

import pytest

from tools.companions.origin.root import Root
from tools.companions.origin.validators import parse_date

from .conftest import TEXT
from .serving import ask, serving


async def test_a_file_and_its_header(root: Path) -> None:
    async with serving(root) as port:
        reply = await ask(port, "/text.txt")
        head = await ask(port, "/text.txt", "HEAD")
    assert (reply.status, reply.body) == (200, TEXT)
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert reply.headers["accept-ranges"] == "bytes"
    assert {"date", "etag", "last-modified"} <= reply.headers.keys()
    assert head.headers.keys() == reply.headers.keys()
    assert head.headers["content-length"] == str(len(TEXT))


async def test_an_empty_file(root: Path) -> None:
    async with serving(root) as port:
        reply = await ask(port, "/empty")
        assert (reply.status, reply.headers["content-length"]) == (200, "0")
        assert (await ask(port, "/empty", Range="bytes=0-")).status == 416


async def test_an_index_stands_for_its_directory(root: Path) -> None:
    async with serving(root) as port:
        reply = await ask(port, "/site/")
        assert (reply.status, reply.body) == (200, b"<p>index")
        assert reply.headers["content-type"] == "text/html; charset=utf-8"
        moved = await ask(port, "//site?q=1")
        assert (moved.status, moved.headers["location"]) == (301, "/site/?q=1")


async def test_a_listing_is_shown_when_it_is_asked_for(root: Path) -> None:
    async with serving(root) as port:
        assert (await ask(port, "/sub/")).status == 403
    async with serving(root, lists_directories=True) as port:
        page = (await ask(port, "/sub/")).body.decode()
        top = (await ask(port, "/")).body.decode()
    assert '<a href="./a%20b%26c.txt">a b&amp;c.txt</a>' in page
    assert '<a href="../">' in page
    assert '<a href="./sub/">sub/</a>' in top
    assert '<a href="../">' not in top


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/nothing", 404),
        ("/text.txt/", 404),
        ("/text.txt/x", 404),
        ("/out", 403),
        ("/../secret", 403),
        ("/%2e%2e/secret", 403),
        ("/%2fetc/passwd", 400),
        ("/text.txt%00", 400),
        ("/%zz", 400),
        ("*", 400),
    ],
)
async def test_refusals(root: Path, target: str, status: int) -> None:
    async with serving(root) as port:
        reply = await ask(port, target)
    assert reply.status == status
    assert reply.body.startswith(str(status).encode())
    assert b"secret" not in reply.body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "BREW"])
async def test_other_methods_are_not_allowed(root: Path, method: str) -> None:
    async with serving(root) as port:
        reply = await ask(port, "/text.txt", method)
    assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD")


async def test_only_regular_files_are_served(root: Path) -> None:
    os.mkfifo(root / "fifo")
    async with serving(root) as port:
        assert (await ask(port, "/fifo")).status == 403


async def test_an_unforeseen_error_of_the_disk(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_root: Root, _path: bytes) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Root, "open", fail)
    async with serving(root) as port:
        assert (await ask(port, "/text.txt")).status == 500
    assert "Input/output error" in capsys.readouterr().err


async def test_a_file_of_tomorrow_was_not_modified_after_now(root: Path) -> None:
    tomorrow_s = time.time() + 86_400
    os.utime(root / "text.txt", (tomorrow_s, tomorrow_s))
    async with serving(root) as port:
        headers = (await ask(port, "/text.txt")).headers
    modified_s, now_s = parse_date(headers["last-modified"]), parse_date(headers["date"])
    assert modified_s is not None
    assert now_s is not None
    assert modified_s <= now_s
