"""Captures made without a proxy: of connections whose times and sizes are as a work wants them."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from spliceproxy.formats.capture.encode import encode_header, encode_record, encode_text
from spliceproxy.formats.capture.layout import HEADER_BYTES, Flag, RecordKind, SegmentHeader
from spliceproxy.formats.capture.names import name_segment

BEGAN_NS = 1_790_000_000 * 10**9
BLOCK_BYTES = 256 << 10  # as mirrors have it
GOT = b"+OK\r\n"
FACTS = encode_text({"route": "default", "client": "192.0.2.1:40000", "backend": "192.0.2.2:6379"})
CLOSED = encode_text({"reason": "closed"})


class Moment(NamedTuple):
    """Something that happened on a connection; they sort by time."""

    at_ns: int
    connection: int
    kind: RecordKind
    flags: int = 0
    offset: int = 0
    payload: bytes = b""


def write(directory: Path, moments: Iterable[Moment]) -> Path:
    """Write a capture of one segment, without an index, and return its path."""
    directory.mkdir()
    header = SegmentHeader(1, 0, BEGAN_NS, 0)
    path = directory / name_segment(header)
    place, block = HEADER_BYTES, bytearray()
    with path.open("wb") as file:
        file.write(encode_header(header))
        for at_ns, connection, kind, flags, offset, payload in moments:
            block += encode_record(kind, flags, connection, at_ns, offset, len(payload)) + payload
            if len(block) >= BLOCK_BYTES:
                place += file.write(_end(block, at_ns, place))
                block.clear()
        file.write(_end(block, 0, place))
    return path


def _end(block: bytearray, at_ns: int, place: int) -> bytes:
    return bytes(block) + encode_record(RecordKind.BLOCK, 0, 0, at_ns, place, 0, crc32(block))


def set_command(key: str, value: bytes) -> bytes:
    """Return a SET as clients of redis send it."""
    words = (b"SET", key.encode(), value)
    return b"*3\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def arrivals(count: int, seconds: float, requests: int, gap_s: float) -> Iterator[Moment]:
    """Connections that begin at random over a time, each with some requests, a gap after each."""
    lot = random.Random(1)  # noqa: S311 - no secret: each run has the same
    begins = sorted(lot.uniform(0, seconds) for _ in range(count))
    talks = (
        _talk(number, int(begins_s * 1e9), requests, int(gap_s * 1e9))
        for number, begins_s in enumerate(begins, 1)
    )
    return heapq.merge(*talks)


def _talk(number: int, at_ns: int, requests: int, gap_ns: int) -> Iterator[Moment]:
    request, answer_ns = set_command("key", b"%05d" % (number % 100_000)), 100_000
    yield Moment(at_ns, number, RecordKind.OPEN, payload=FACTS)
    for turn in range(requests):
        at_ns += gap_ns
        yield Moment(at_ns, number, RecordKind.DATA, 0, turn * len(request), request)
        yield _answer(at_ns + answer_ns, number, turn)
    yield from _end_talk(at_ns + gap_ns, number, requests * len(request), requests * len(GOT))


def _answer(at_ns: int, number: int, turn: int) -> Moment:
    return Moment(at_ns, number, RecordKind.DATA, Flag.RESPONSE, turn * len(GOT), GOT)


def _end_talk(at_ns: int, number: int, sent_bytes: int, got_bytes: int) -> Iterator[Moment]:
    yield Moment(at_ns, number, RecordKind.END, 0, sent_bytes)
    yield Moment(at_ns, number, RecordKind.END, Flag.RESPONSE, got_bytes)
    yield Moment(at_ns, number, RecordKind.CLOSE, payload=CLOSED)


def long_talks(count: int, size_bytes: int, value_bytes: int, bytes_per_s: int) -> Iterator[Moment]:
    """Connections that stay open over all of a capture of that size, and take turns in it."""
    request = set_command("key", bytes(value_bytes))
    gap_ns = len(request) * 10**9 // bytes_per_s
    turns = max(1, size_bytes // (count * len(request)))
    yield from (Moment(0, number, RecordKind.OPEN, payload=FACTS) for number in range(count))
    for turn in range(turns):
        for number in range(count):
            at_ns = (turn * count + number) * gap_ns
            yield Moment(at_ns, number, RecordKind.DATA, 0, turn * len(request), request)
            yield _answer(at_ns, number, turn)
    for number in range(count):
        at_ns = turns * count * gap_ns
        yield from _end_talk(at_ns, number, turns * len(request), turns * len(GOT))
