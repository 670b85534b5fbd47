from typing import Any

from hypothesis import given

from spliceproxy.formats.proxy_protocol.client_handshake import ClientHandshake, pack_ssl
from spliceproxy.formats.proxy_protocol.decode import decode
from spliceproxy.formats.proxy_protocol.header import ProxiedClient, ProxyHeader
from spliceproxy.formats.proxy_protocol.introduction import introduce
from spliceproxy.formats.proxy_protocol.tlvs import (
    ALPN,
    AUTHORITY,
    CRC32C,
    NOOP,
    SSL,
    UNIQUE_ID,
    pack_hops,
)
from spliceproxy.formats.proxy_protocol.version2 import MAX_BYTES, encode
from tests.formats.proxy_protocol.headers import tlv_lists

ENDS = ("192.0.2.1", 56324), ("198.51.100.2", 443)
TLS = ClientHandshake("TLSv1.3", "TLS_AES_128_GCM_SHA256", server_name="db.example", alpn="h2")


def passed_on(**known: Any) -> ProxyHeader:
    header = decode(introduce(ProxiedClient(*ENDS, **known)))
    assert isinstance(header, ProxyHeader)
    assert (header.source, header.destination) == ENDS
    return header


def test_a_client_of_whom_nothing_is_known() -> None:
    assert introduce(ProxiedClient(*ENDS)) == encode(*ENDS)


def test_a_client_whose_tls_ends_here() -> None:
    expected = ((ALPN, b"h2"), (AUTHORITY, b"db.example"), (SSL, pack_ssl(TLS)))
    assert passed_on(tls=TLS).tlvs == expected
    bare = ClientHandshake("TLSv1.2", "AES128-SHA")
    assert passed_on(tls=bare).tlvs == ((SSL, pack_ssl(bare)),)


def test_the_proxy_before_knows_better() -> None:
    told = ((AUTHORITY, b"other.example"), (UNIQUE_ID, b"7"))
    header = passed_on(hops=2, tls=TLS, tlvs=told)
    assert header.tlvs == (pack_hops(2), (ALPN, b"h2"), (SSL, pack_ssl(TLS)), *told)


def test_what_was_said_of_the_header_before_is_not_passed_on() -> None:
    told = (pack_hops(7), (NOOP, b"fill"), (UNIQUE_ID, b"7"))
    assert passed_on(hops=8, tlvs=told).tlvs == (pack_hops(8), (UNIQUE_ID, b"7"))


@given(tlv_lists)
def test_a_checksum_is_passed_on_as_one_of_its_own(told: list[tuple[int, bytes]]) -> None:
    """Which the decoder has compared."""
    (kind, checksum), *_ = passed_on(tlvs=(*told, (CRC32C, b"abcd")), tls=TLS).tlvs
    assert kind == CRC32C
    assert checksum not in (b"abcd", bytes(4))


def test_a_header_stays_within_what_the_next_proxy_takes() -> None:
    """What was passed on is left out from its end on; what is known here is told."""
    told = tuple((0xE4, bytes([number]) * 240) for number in range(8))
    long_name = ClientHandshake("TLSv1.3", "", client_cn="n" * 5000, has_certificate=True)
    header = passed_on(tls=long_name, tlvs=told)
    assert MAX_BYTES - 243 < header.length <= MAX_BYTES
    assert header.tlvs == ((SSL, pack_ssl(long_name)), *told[: len(header.tlvs) - 1])
