import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.formats.crc32c import crc32c
from spliceproxy.formats.need_more import NeedMore
from spliceproxy.formats.proxy_protocol.decode import decode
from spliceproxy.formats.proxy_protocol.header import PeerAddress, ProxyHeader, ProxyProtocolError
from spliceproxy.formats.proxy_protocol.tlvs import ALPN, AUTHORITY, CRC32C
from spliceproxy.formats.proxy_protocol.version2 import MAX_BYTES, encode
from tests.formats.proxy_protocol.headers import ADDRESSES, header2, place_pairs, tlv_lists

SOURCE, DESTINATION = ("192.0.2.1", 56324), ("198.51.100.2", 443)


def paths(source: bytes, destination: bytes) -> bytes:
    return source.ljust(108, b"\0") + destination.ljust(108, b"\0")


@pytest.mark.parametrize(
    ("command", "family", "block", "expected"),
    [
        (0x21, 0x11, ADDRESSES, ProxyHeader(28, SOURCE, DESTINATION)),
        (
            0x21,
            0x21,
            bytes(15) + b"\1" + bytes(15) + b"\2" + ADDRESSES[8:],
            ProxyHeader(52, ("::1", 56324), ("::2", 443)),
        ),
        (0x21, 0x31, paths(b"/a", b"/b"), ProxyHeader(232, "/a", "/b")),
        (0x21, 0x31, paths(b"\0abstract", b""), ProxyHeader(232, "\0abstract", "")),
        (0x21, 0x31, paths(b"a" * 108, b"\xff"), ProxyHeader(232, "a" * 108, "\udcff")),
        (0x20, 0x00, b"", ProxyHeader(16, local=True)),
        (0x20, 0x11, ADDRESSES, ProxyHeader(28, local=True)),  # to be ignored
        (0x20, 0xFF, b"garbage", ProxyHeader(23, local=True)),
        (0x21, 0x00, b"", ProxyHeader(16)),
        (0x21, 0x12, ADDRESSES, ProxyHeader(28)),  # a datagram, over a stream: unknown
        (0x21, 0x41, b"?", ProxyHeader(17)),
    ],
)
def test_headers(command: int, family: int, block: bytes, expected: ProxyHeader) -> None:
    assert decode(header2(command, family, block) + b"\x01\x00\x02h2") == expected


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (header2(0x22, 0x11, ADDRESSES), "command 0x22"),
        (header2(0x11, 0x11, ADDRESSES), "command 0x11"),
        (header2(0x21, 0x11, ADDRESSES)[:12] + b"\x31", "command 0x31"),  # at the first byte
        (header2(0x21, 0x11, ADDRESSES[:-1]), "too short"),
        (header2(0x21, 0x21, ADDRESSES), "too short"),
        (header2(0x21, 0x31, bytes(215)), "too short"),
        (header2(0x21, 0x11, ADDRESSES + b"\x01"), "cut off"),
        (header2(0x21, 0x11, ADDRESSES + b"\x01\x00"), "cut off"),
        (header2(0x21, 0x11, ADDRESSES + b"\x01\x00\x03h2"), "cut off"),
        (header2(0x21, 0x11, ADDRESSES + b"\x03\x00\x01x"), "checksum"),
        (header2(0x21, 0x11, ADDRESSES + b"\x03\x00\x04abcd"), "checksum"),
        (header2(0x21, 0x11, ADDRESSES + bytes(3 * 65)), "more than 64 TLVs"),
        (header2(0x21, 0x11, bytes(MAX_BYTES - 15))[:16], "header of 2049 bytes"),
        (header2(0x20, 0x00, bytes(65535))[:16], "header of 65551 bytes"),
    ],
)
def test_what_is_refused(header: bytes, reason: str) -> None:
    with pytest.raises(ProxyProtocolError, match=reason):
        decode(header)


def test_the_longest_header() -> None:
    filler = MAX_BYTES - 16 - 12 - 3
    header = header2(0x21, 0x11, ADDRESSES + struct.pack("!BH", 4, filler) + bytes(filler))
    decoded = decode(header)
    assert isinstance(decoded, ProxyHeader)
    assert decoded.length == len(header) == MAX_BYTES
    assert decode(header[:16]) == NeedMore(MAX_BYTES)
    assert encode(SOURCE, DESTINATION, [(4, bytes(filler))]) == header


def test_the_most_tlvs() -> None:
    decoded = decode(header2(0x21, 0x11, ADDRESSES + bytes(3 * 64)))
    assert isinstance(decoded, ProxyHeader)
    assert decoded.tlvs == ((0, b""),) * 64


@given(tlvs=tlv_lists, at=st.integers(0, 5), flipped=st.none() | st.integers(0, 10**6))
def test_a_checksum_among_other_tlvs(
    tlvs: list[tuple[int, bytes]], at: int, flipped: int | None
) -> None:
    at = min(at, len(tlvs))
    zero = encode(SOURCE, DESTINATION, [*tlvs[:at], (CRC32C, bytes(4)), *tlvs[at:]])
    checksum = crc32c(zero).to_bytes(4)
    header = encode(SOURCE, DESTINATION, [*tlvs[:at], (CRC32C, checksum), *tlvs[at:]])
    if flipped is None:
        assert decode(header) == ProxyHeader(
            len(header), SOURCE, DESTINATION, tlvs=(*tlvs[:at], (CRC32C, checksum), *tlvs[at:])
        )
    else:
        place = 16 + flipped % 12  # in the addresses: the rest stays well-formed
        damaged = header[:place] + bytes([header[place] ^ 0x10]) + header[place + 1 :]
        with pytest.raises(ProxyProtocolError, match="checksum"):
            decode(damaged)


@given(place_pairs, tlv_lists)
def test_there_and_back(
    pair: tuple[tuple[str, int], tuple[str, int]], tlvs: list[tuple[int, bytes]]
) -> None:
    header = encode(*pair, tlvs)
    assert decode(header) == ProxyHeader(len(header), *pair, tlvs=tuple(tlvs))


@pytest.mark.parametrize(
    ("source", "destination", "family"),
    [
        (SOURCE, DESTINATION, 0x11),
        (("::ffff:192.0.2.1", 1), DESTINATION, 0x11),
        (SOURCE, ("::1", 1), 0x21),
        (("fe80::1%eth0", 1), ("::1", 1), 0x21),
        ("/run/a", "", 0x31),
        ("", DESTINATION, 0x00),
        (None, DESTINATION, 0x00),
    ],
)
def test_the_family_that_is_written(
    source: PeerAddress | None, destination: PeerAddress | None, family: int
) -> None:
    assert encode(source, destination)[12:14] == bytes([0x21, family])


def test_a_connection_of_ones_own_is_local() -> None:
    header = encode(None, None, [(AUTHORITY, b"example.org")])
    assert header[12:14] == bytes([0x20, 0])
    assert decode(header) == ProxyHeader(len(header), local=True)


@pytest.mark.parametrize(
    ("source", "destination", "tlvs"),
    [
        ("/" * 109, "", []),
        (SOURCE, DESTINATION, [(ALPN, bytes(MAX_BYTES))]),
        (SOURCE, DESTINATION, [(ALPN, bytes(65536))]),
        (SOURCE, DESTINATION, [(256, b"")]),
    ],
)
def test_what_does_not_fit(
    source: PeerAddress, destination: PeerAddress, tlvs: list[tuple[int, bytes]]
) -> None:
    with pytest.raises(ValueError, match=r"108 bytes|2048 bytes|does not fit"):
        encode(source, destination, tlvs)
