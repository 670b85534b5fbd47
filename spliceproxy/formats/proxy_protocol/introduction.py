"""The header of version 2 for a client that is passed on, with all that is known of it."""

from spliceproxy.formats.proxy_protocol import version2
from spliceproxy.formats.proxy_protocol.client_handshake import ClientHandshake, pack_ssl
from spliceproxy.formats.proxy_protocol.header import ProxiedClient, Tlvs
from spliceproxy.formats.proxy_protocol.tlvs import (
    ALPN,
    AUTHORITY,
    CRC32C,
    CRC_BYTES,
    HOPS,
    NOOP,
    SSL,
    fill_in_crc32c,
    pack_hops,
    pack_tlvs,
)

_OF_ONE_HEADER = frozenset({CRC32C, NOOP, HOPS})
"""Types that say something of the header which they were in."""


def introduce(client: ProxiedClient) -> bytes:
    """Return the header.

    What the header that has introduced the client told is passed on as it was. It tells of the
    client's own connection; so what is known of TLS here is told only beside it, in types that it
    has not. A checksum is sent where one has come.
    """
    tlvs = _tlvs_of(client)
    if not any(kind == CRC32C for kind, _ in client.tlvs):
        return version2.encode(client.source, client.destination, _fitting(client, tlvs))
    checksum = (CRC32C, bytes(CRC_BYTES))
    header = version2.encode(client.source, client.destination, _fitting(client, [checksum, *tlvs]))
    at = len(version2.encode(client.source, client.destination, [checksum])) - CRC_BYTES
    return fill_in_crc32c(header, at)


def _tlvs_of(client: ProxiedClient) -> list[tuple[int, bytes]]:
    tlvs = [pack_hops(client.hops)] if client.hops else []
    passed_on = [each for each in client.tlvs if each[0] not in _OF_ONE_HEADER]
    if client.tls is not None:
        told = {kind for kind, _ in passed_on}
        tlvs += [each for each in _tlvs_of_tls(client.tls) if each[0] not in told]
    return tlvs + passed_on


def _tlvs_of_tls(tls: ClientHandshake) -> Tlvs:
    texts = ((ALPN, tls.alpn), (AUTHORITY, tls.server_name))
    return (*((kind, text.encode()) for kind, text in texts if text), (SSL, pack_ssl(tls)))


def _fitting(client: ProxiedClient, tlvs: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Return as many as a header takes that the next proxy accepts; this one's own come first."""
    left = version2.MAX_BYTES - len(version2.encode(client.source, client.destination))
    fitting = []
    for each in tlvs:
        left -= len(pack_tlvs([each]))
        if left < 0:
            break
        fitting.append(each)
    return fitting
