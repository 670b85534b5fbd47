"""Whether the audit files of a proxy hold what was sent, byte by byte."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from spliceproxy.settings.units import parse_size
from tools.demo.payload import BLOCK_BYTES, blocks
from tools.soak.exchange import (
    MAX_HEADER_BYTES,
    RESPONSE_SEED_OFFSET,
    Manner,
    Request,
    parse_header,
)
from tools.soak.figures import Figure
from tools.soak.routes import AUDITED, FILE_MIRROR, Files

MOST_BYTES = parse_size(FILE_MIRROR["max_bytes"])
MOST_SHOWN = 3
assert MOST_BYTES <= BLOCK_BYTES  # noqa: S101 - one block of a body is all that can be in a file


@lru_cache(maxsize=64)
def _beginning(total_bytes: int, seed: int) -> bytes:
    """Return the first block of a body."""
    return bytes(next(blocks(total_bytes, seed), b""))


def compare(files: Files) -> Figure:
    """Return how many files of requests are complete, and how many are right, with the answers.

    The proxy has ended, so that no file goes meanwhile.
    """
    paths = [path for route in AUDITED for path in files.audit(route).glob("*/*-request")]
    faults = [fault for fault in map(fault_of, paths) if fault]
    shown = ", ".join(faults[:MOST_SHOWN])
    right = len(paths) - len(faults)
    return Figure("audit files: complete, byte-exact", f"{len(paths):,}", f"{right:,}", shown)


def fault_of(path: Path) -> str:
    """Return what is wrong with a complete file of requests, or with the answers beside it."""
    content = path.read_bytes()
    try:
        requests = list(_requests(content))
    except ValueError as error:
        return f"{path.name}: {error}"
    answers = path.with_name(path.name.removesuffix("request") + "response")
    if not answers.exists():  # incomplete, or removed meanwhile
        return ""
    answer = answers.read_bytes()
    expected = _answers(requests)
    if answer != expected[: len(answer)]:
        return f"{answers.name}: other bytes than were sent"
    if len(content) < MOST_BYTES and len(answer) != min(len(expected), MOST_BYTES):
        return f"{answers.name}: {len(answer)} bytes"
    return ""


def _requests(content: bytes) -> Iterator[Request]:
    """Return the requests that are in a file.

    Raises:
        ValueError: it holds something else, or the end of one is missing.
    """
    at = 0
    while at < len(content):
        end = content.find(b"\n", at, at + MAX_HEADER_BYTES) + 1
        if not end:
            if len(content) == MOST_BYTES:
                return
            raise ValueError("a header without its end")
        request = parse_header(content[at:end])
        body = content[end : end + request.request_bytes]
        if body != _beginning(request.request_bytes, request.seed)[: len(body)]:
            raise ValueError("other bytes than were sent")
        if len(body) < request.request_bytes and len(content) != MOST_BYTES:
            raise ValueError("the end of a request is missing")
        at = end + len(body)
        yield request


def _answers(requests: list[Request]) -> bytes:
    """Return the beginning of what was answered, as far as a file may hold it."""
    found = bytearray()
    for request in requests:
        if request.manner != Manner.ENDS_FIRST:
            found += request.request_sha256.encode() + b"\n"
        found += _beginning(request.response_bytes, request.seed + RESPONSE_SEED_OFFSET)
        if len(found) >= MOST_BYTES:
            break
    return bytes(found[:MOST_BYTES])
