"""What holds for both versions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from proxyprotocol.detect import ProxyProtocolDetect

from spliceproxy.formats.need_more import NeedMore
from spliceproxy.formats.proxy_protocol import version1, version2
from spliceproxy.formats.proxy_protocol.decode import decode
from spliceproxy.formats.proxy_protocol.header import ProxyHeader, ProxyProtocolError
from tests.formats.proxy_protocol.headers import damaged_headers, headers, place_pairs, tlv_lists


@given(headers, st.binary(max_size=50))
def test_what_follows_is_not_the_headers(header: bytes, rest: bytes) -> None:
    decoded = decode(header + rest)
    assert decoded == decode(header)
    assert isinstance(decoded, ProxyHeader)
    assert decoded.length == len(header)


@given(headers)
def test_every_beginning_needs_more(header: bytes) -> None:
    for length in range(len(header)):
        answer = decode(header[:length])
        assert isinstance(answer, NeedMore)
        assert length < answer.length <= len(header)


@given(headers)
def test_waiting_for_what_is_needed_takes_few_looks(header: bytes) -> None:
    looks, have = 1, 1
    while isinstance(answer := decode(header[:have]), NeedMore):
        have = answer.length
        looks += 1
    assert looks <= (4 if header.startswith(version2.SIGNATURE) else version1.MAX_BYTES)


@given(st.binary(max_size=300) | damaged_headers())
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    try:
        answer = decode(data)
    except ProxyProtocolError as error:
        reason = str(error)
    else:
        reason = "read"
        assert answer.length > len(data) or isinstance(answer, ProxyHeader)
        assert answer.length <= version2.MAX_BYTES
    assert reason.isprintable()


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n", b"X", b"\x16\x03\x01", b"PROXY\t", b"\r\n\r\n\x01", b"proxy "]
)
def test_something_else_is_refused_at_once(data: bytes) -> None:
    with pytest.raises(ProxyProtocolError, match="not a PROXY protocol header"):
        decode(data)


@given(place_pairs, tlv_lists)
def test_another_implementation_reads_the_same(
    pair: tuple[tuple[str, int], tuple[str, int]], tlvs: list[tuple[int, bytes]]
) -> None:
    for header in (version1.encode(*pair), version2.encode(*pair, tlvs)):
        theirs = ProxyProtocolDetect().unpack(header)
        ours = decode(header)
        assert isinstance(ours, ProxyHeader)
        assert (ours.source, ours.destination) == pair
        assert theirs.peername is not None
        assert theirs.sockname is not None
        assert theirs.peername[:2] == pair[0]
        assert theirs.sockname[:2] == pair[1]
        assert dict(theirs.tlv) == dict(ours.tlvs)
