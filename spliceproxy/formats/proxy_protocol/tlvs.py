"""What else a PROXY protocol header of version 2 says: types, lengths and values."""

import struct
from collections.abc import Iterable

from spliceproxy.formats.crc32c import crc32c
from spliceproxy.formats.proxy_protocol.header import ProxyProtocolError, Tlvs

ALPN = 0x01
AUTHORITY = 0x02
"""The server name that the client asked for (SNI)."""
CRC32C = 0x03
NOOP = 0x04
"""Fills up; to be passed over."""
UNIQUE_ID = 0x05
SSL = 0x20
"""How the client came by TLS: see `client_handshake`."""
NETNS = 0x30
"""The network namespace of the proxy's, by name."""
GCP = 0xE0
"""https://cloud.google.com/vpc/docs/configure-private-service-connect-producer#proxy-protocol"""
AWS = 0xEA
"""https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html"""
AZURE = 0xEE
"""https://learn.microsoft.com/azure/private-link/private-link-service-overview"""
HOPS = 0xE5
"""How many proxies of this kind have passed a connection on; of the types that are free for uses of
one's own (2.2.7), so the value begins with a name."""
_HOPS_NAME = b"spliceproxy"

MAX_TLVS = 64
"""In a header that is accepted; proxies send a dozen at most. Each costs a microsecond."""

_HEAD = struct.Struct("!BH")
CRC_BYTES = 4


def unpack_tlvs(header: bytes, start: int) -> Tlvs:
    """Read the TLVs that fill a header from an offset to its end.

    Raises:
        ProxyProtocolError: one is cut off, or there are too many.
    """
    tlvs: list[tuple[int, bytes]] = []
    while start < len(header):
        if len(tlvs) == MAX_TLVS:
            raise ProxyProtocolError(f"more than {MAX_TLVS} TLVs")
        if start + _HEAD.size > len(header):
            raise ProxyProtocolError("a TLV that is cut off")
        kind, length = _HEAD.unpack_from(header, start)
        start += _HEAD.size
        if start + length > len(header):
            raise ProxyProtocolError("a TLV that is cut off")
        tlvs.append((kind, header[start : start + length]))
        start += length
    return tuple(tlvs)


def pack_hops(hops: int) -> tuple[int, bytes]:
    """Return the TLV that counts proxies."""
    return HOPS, _HOPS_NAME + bytes([min(hops, 255)])


def hops_of(tlvs: Tlvs) -> int:
    """Return how many proxies TLVs count; 0 if they don't."""
    for kind, value in tlvs:
        if kind == HOPS and len(value) == len(_HOPS_NAME) + 1 and value.startswith(_HOPS_NAME):
            return value[-1]
    return 0


def fill_in_crc32c(header: bytes, at: int) -> bytes:
    """Return a header with its checksum, which takes the place of zeros at this offset."""
    return header[:at] + crc32c(header).to_bytes(CRC_BYTES) + header[at + CRC_BYTES :]


def check_crc32c(header: bytes, start: int, tlvs: Tlvs) -> None:
    """Compare the header with its checksum, if there is one among its TLVs, which begin at `start`.

    Raises:
        ProxyProtocolError: they do not match.
    """
    for kind, value in tlvs:
        start += _HEAD.size
        if kind == CRC32C:
            # Of the whole header, with zeros in place of the checksum itself.
            zeroed = header[:start] + bytes(CRC_BYTES) + header[start + CRC_BYTES :]
            if len(value) != CRC_BYTES or crc32c(zeroed) != int.from_bytes(value):
                raise ProxyProtocolError("a checksum that does not match")
            return
        start += len(value)


def pack_tlvs(tlvs: Iterable[tuple[int, bytes]]) -> bytes:
    """Write TLVs.

    Raises:
        ValueError: a type or a length does not fit.
    """
    try:
        return b"".join(_HEAD.pack(kind, len(value)) + value for kind, value in tlvs)
    except struct.error as error:
        raise ValueError(f"a TLV does not fit: {error}") from None
