"""Whatever the bytes are, no framer raises, none is left out, and pieces don't matter."""

import gzip
import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.framing.frame import Frame
from spliceproxy.framing.http1 import HTTP1
from spliceproxy.framing.length import length_protocol, parse_length_format
from spliceproxy.framing.lines import LINES
from spliceproxy.framing.postgres import POSTGRES
from spliceproxy.framing.protocols import guess_protocol
from spliceproxy.framing.raw import RAW
from spliceproxy.framing.redis import REDIS
from spliceproxy.framing.wire_protocol import WireProtocol

from .framed import converse

LENGTH = length_protocol(parse_length_format("offset=1,size=2,inclusive=yes,header=4"))
PROTOCOLS = [REDIS, HTTP1, POSTGRES, LINES, LENGTH, RAW]

PARTS = st.sampled_from(
    [
        *(b"*2\r\n", b"$3\r\nGET\r\n", b"$-1\r\n", b"+OK\r\n", b">2\r\n", b"%1\r\n", b":7\r\n"),
        *(b"PING\r\n", b"\r\n", b"\n", b"~1\r\n", b"_\r\n", b"*-1\r\n", b"#t\r\n", b"|1\r\n"),
        *(b"$9999999999\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n"),
        *(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"1\r\na\r\n", b"0\r\n\r\n"),
        *(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"HEAD / HTTP/1.1\r\n"),
        *(b"HTTP/1.1 101 Go\r\nUpgrade: x\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
        *(b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", b"Content-Type: application/json\r\n"),
        *(b"Upgrade: x\r\nConnection: upgrade\r\n", b"\0\0\0\x08\x04\xd2\x16\x2f", b"S", b"N"),
        *(b"\0\0\0\x09\0\x03\0\0\0", b"Q\0\0\0\x06a\0", b"Z\0\0\0\x05I", b"E\0\0\0\x07Cx\0"),
        *(b"D\0\0\0\x0b\0\1\0\0\0\1a", b"D\0\0\0\x06\xff\xff", b"\0\0\4", b"\0\0\1a", b"\xff\xfe"),
    ]
)
BYTES = st.one_of(st.binary(max_size=200), st.lists(PARTS, max_size=8).map(b"".join))
CUTS = st.lists(st.integers(0, 300), max_size=6)


def assert_covers(found: list[Frame], data: bytes) -> None:
    """Frames lie one after the other; between them nothing but what an empty command takes."""
    assert all(one.offset + one.size <= next_one.offset for one, next_one in pairwise(found))
    assert all(one.size > 0 for one in found)
    assert sum(one.size for one in found) <= len(data)
    if found:
        assert found[-1].offset + found[-1].size <= len(data)


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
@given(request_bytes=BYTES, response=BYTES, cuts=CUTS)
def test_pieces_do_not_matter(
    protocol: WireProtocol, request_bytes: bytes, response: bytes, cuts: list[int]
) -> None:
    whole = converse(protocol, request_bytes, response)
    assert converse(protocol, request_bytes, response, cuts) == whole
    assert_covers(whole[0], request_bytes)
    assert_covers(whole[1], response)
    if protocol is not REDIS:
        assert sum(one.size for one in whole[1]) == len(response)


@given(request_bytes=BYTES, response=BYTES)
def test_a_guess_is_always_made(request_bytes: bytes, response: bytes) -> None:
    assert guess_protocol(request_bytes, response).name


WORDS = st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=4)


@given(commands=st.lists(WORDS, min_size=1, max_size=5), cuts=CUTS)
def test_redis_is_framed_exactly(commands: list[list[bytes]], cuts: list[int]) -> None:
    encoded = [
        b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words)
        for words in commands
    ]
    requests, answers = converse(REDIS, b"".join(encoded), b"".join(encoded), cuts)
    for found in (requests, answers):
        assert [frame.size for frame in found] == [len(one) for one in encoded]
        assert [frame.number for frame in found] == list(range(len(encoded)))
        assert all(frame.is_whole for frame in found)
    assert [frame.asked for frame in answers] == [frame.asked for frame in requests]
    same = {bytes(one): frame.digest for one, frame in zip(encoded, answers, strict=True)}
    assert len(set(same.values())) == len(set(encoded))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(bodies=st.lists(JSON, min_size=1, max_size=4), cuts=CUTS, chunk=st.integers(1, 30))
def test_http_means_the_same_in_chunks_and_compressed(
    bodies: list[object], cuts: list[int], chunk: int
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    plain, packed = [], []
    for body in bodies:
        data = json.dumps(body).encode()
        plain.append(head + b"Content-Length: %d\r\n\r\n%b" % (len(data), data))
        data = gzip.compress(json.dumps(body, indent=1).encode())
        chunks = [data[at : at + chunk] for at in range(0, len(data), chunk)]
        framed = b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in chunks)
        encodings = b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
        packed.append(head + encodings + framed + b"0\r\n\r\n")
    asked = b"GET /users/17?all HTTP/1.1\r\nHost: a\r\n\r\n" * len(bodies)
    _, of_plain = converse(HTTP1, asked, b"".join(plain), cuts)
    _, of_packed = converse(HTTP1, asked, b"".join(packed), cuts)
    assert [frame.size for frame in of_plain] == [len(one) for one in plain]
    assert [frame.size for frame in of_packed] == [len(one) for one in packed]
    assert {frame.asked.name for frame in of_plain} == {"GET /users/*"}
    for one, other in zip(of_plain, of_packed, strict=True):
        assert body_of(one) == body_of(other)


def body_of(frame: Frame) -> dict[str, str]:
    return {path: value for path, value in frame.fields.items() if path.startswith("body")}


@given(payloads=st.lists(st.binary(max_size=30), max_size=5), cuts=CUTS)
def test_lengths_are_framed_exactly(payloads: list[bytes], cuts: list[int]) -> None:
    encoded = [b"k" + (len(one) + 4).to_bytes(2) + b"v" + one for one in payloads]
    _, found = converse(LENGTH, b"", b"".join(encoded), cuts)
    assert [frame.size for frame in found] == [len(one) for one in encoded]
    assert all(frame.is_whole for frame in found)


@given(
    lines=st.lists(
        st.binary(max_size=30).map(lambda b: b.replace(b"\n", b"").strip(b"\r")), max_size=5
    ),
    cuts=CUTS,
)
def test_ends_of_lines_are_no_difference(lines: list[bytes], cuts: list[int]) -> None:
    _, bare = converse(LINES, b"", b"".join(line + b"\n" for line in lines), cuts)
    _, returned = converse(LINES, b"", b"".join(line + b"\r\n" for line in lines), cuts)
    assert [frame.digest for frame in bare] == [frame.digest for frame in returned]
    assert len(bare) == len(lines)
