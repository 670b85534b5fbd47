import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.formats.proxy_protocol.client_handshake import ClientHandshake, pack_ssl, read_ssl
from spliceproxy.formats.proxy_protocol.header import ProxyProtocolError
from spliceproxy.formats.proxy_protocol.tlvs import ALPN, AWS, AZURE, GCP, NETNS, SSL, UNIQUE_ID
from spliceproxy.formats.proxy_protocol.told import tell

# A certificate on this connection and in its session, verified; version and name.
BY_CERTIFICATE = bytes.fromhex("07 00000000 21 0007 544c5376312e33 22 0002 6d65")
TLS = ClientHandshake(
    "TLSv1.3",
    "TLS_AES_256_GCM_SHA384",
    client_cn="me",
    has_certificate=True,
    is_verified=True,
    signature_algorithm="ecdsa-with-SHA256",
    key_algorithm="EC256",
)


@pytest.mark.parametrize(
    ("kind", "value", "told"),
    [
        (ALPN, b"h2", {"alpn": "h2"}),
        (UNIQUE_ID, b"r-17", {"unique_id": "r-17"}),
        (UNIQUE_ID, b"\x00\xff", {"unique_id": "00ff"}),
        (UNIQUE_ID, b"a\nb", {"unique_id": "610a62"}),
        (UNIQUE_ID, b"", {"unique_id": ""}),
        (UNIQUE_ID, b"x" * 500, {"unique_id": "x" * 256}),
        (NETNS, b"blue", {"netns": "blue"}),
        (AWS, b"\x01vpce-08d2", {"aws_vpc_endpoint_id": "vpce-08d2"}),
        (AWS, b"\x02?", {}),
        (GCP, bytes(7) + b"\x2a", {"gcp_psc_connection_id": "42"}),
        (GCP, b"\x2a", {}),
        (AZURE, b"\x01\x2a\0\0\0", {"azure_private_endpoint_link_id": "42"}),
        (AZURE, b"\x01\x2a", {}),
        (0xE4, b"\xff", {}),
        (
            SSL,
            BY_CERTIFICATE,
            {"ssl": True, "ssl_verified": True, "ssl_version": "TLSv1.3", "ssl_cn": "me"},
        ),
        (SSL, bytes(4) + b"\1", {"ssl": False}),
    ],
)
def test_what_is_told(kind: int, value: bytes, told: dict[str, str | bool]) -> None:
    assert tell(((kind, value),)) == told


def test_what_is_told_of_tls() -> None:
    assert tell(((SSL, pack_ssl(TLS)),)) == {
        "ssl": True,
        "ssl_verified": True,
        "ssl_version": "TLSv1.3",
        "ssl_cn": "me",
        "ssl_cipher": "TLS_AES_256_GCM_SHA384",
        "ssl_sig_alg": "ecdsa-with-SHA256",
        "ssl_key_alg": "EC256",
    }


@pytest.mark.parametrize(
    ("facts", "flags", "verify"),
    [
        ({}, 1, 1),
        ({"has_certificate": True}, 7, 1),
        ({"has_certificate": True, "is_verified": True}, 7, 0),
        ({"has_certificate": True, "is_verified": True, "is_resumed": True}, 5, 0),
    ],
)
def test_how_certificates_are_told_of(facts: dict[str, bool], flags: int, verify: int) -> None:
    value = pack_ssl(ClientHandshake("TLSv1.3", "", **facts))  # type: ignore[arg-type]  # bool all
    assert (value[0], int.from_bytes(value[1:5])) == (flags, verify)


@pytest.mark.parametrize(
    "value",
    [b"", b"\1\0\0\0", BY_CERTIFICATE[:-1], BY_CERTIFICATE[:6], BY_CERTIFICATE[:5] + bytes(3 * 17)],
)
def test_what_is_cut_off(value: bytes) -> None:
    with pytest.raises(ProxyProtocolError, match="cut off"):
        tell(((SSL, value),))


@given(st.binary(max_size=60))
def test_any_value_is_read_or_refused(value: bytes) -> None:
    try:
        told = read_ssl(value)
    except ValueError:
        return
    assert all(len(part) <= len(value) for part in told.values() if isinstance(part, bytes))
