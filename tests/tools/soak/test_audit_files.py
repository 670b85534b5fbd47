"""Audit files are held against what was sent."""

from pathlib import Path

import pytest

from tools.demo.payload import blocks
from tools.soak.audit_files import MOST_BYTES, compare
from tools.soak.exchange import RESPONSE_SEED_OFFSET, Manner, Request
from tools.soak.routes import Files

SMALL = Request(Manner.ANSWER, 1000, 2000, 3)
NEXT = Request(Manner.ANSWER, 1, 100, 4)
LARGE = Request(Manner.HALF_CLOSED, 3 << 20, 3 << 20, 5)
FIRST = Request(Manner.ENDS_FIRST, 100, 200, 6)


def body(total_bytes: int, seed: int) -> bytes:
    return b"".join(bytes(block) for block in blocks(total_bytes, seed))


def sent(*requests: Request) -> bytes:
    found = b""
    for request in requests:
        found += request.header + body(request.request_bytes, request.seed)
    return found[:MOST_BYTES]


def answered(*requests: Request) -> bytes:
    found = b""
    for request in requests:
        if request.manner != Manner.ENDS_FIRST:
            found += request.request_sha256.encode() + b"\n"
        found += body(request.response_bytes, request.seed + RESPONSE_SEED_OFFSET)
    return found[:MOST_BYTES]


def compared(directory: Path, request: bytes, response: bytes | None) -> str:
    """Return what is wrong with the files of one connection."""
    files = Files(directory)
    day = files.audit("pool") / "2026-11-24"
    day.mkdir(parents=True)
    (day / "a-request").write_bytes(request)
    if response is not None:
        (day / "a-response").write_bytes(response)
    figure = compare(files)
    assert figure.before == "1"
    assert figure.after == ("0" if figure.fault else "1")
    return figure.fault


@pytest.mark.parametrize("requests", [(SMALL,), (SMALL, NEXT), (LARGE,), (SMALL, LARGE), (FIRST,)])
def test_what_was_sent_is_right(tmp_path: Path, requests: tuple[Request, ...]) -> None:
    assert compared(tmp_path, sent(*requests), answered(*requests)) == ""


def test_answers_that_are_incomplete_are_not_looked_at(tmp_path: Path) -> None:
    assert compared(tmp_path, sent(SMALL), None) == ""


def changed(content: bytes) -> bytes:
    at = len(content) - 50
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@pytest.mark.parametrize(
    ("request_content", "response_content", "why"),
    [
        (changed(sent(SMALL)), answered(SMALL), "a-request: other bytes"),
        (changed(sent(LARGE)), answered(LARGE), "a-request: other bytes"),
        (sent(SMALL)[:-1], answered(SMALL), "the end of a request is missing"),
        (sent(SMALL, NEXT)[:-5], answered(SMALL, NEXT), "without its end"),
        (sent(SMALL), changed(answered(SMALL)), "a-response: other bytes"),
        (sent(SMALL, NEXT), answered(NEXT, SMALL), "a-response: other bytes"),
        (sent(SMALL), answered(SMALL)[:-1], "a-response: 2064 bytes"),
    ],
)
def test_what_differs_is_found(
    tmp_path: Path, request_content: bytes, response_content: bytes, why: str
) -> None:
    assert why in compared(tmp_path, request_content, response_content)
