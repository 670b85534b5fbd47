"""Version 2 of the PROXY protocol: binary, with room for more than addresses."""

import os
import socket
import struct
from collections.abc import Iterable

from spliceproxy.formats.ip import map_ip, pack_ip
from spliceproxy.formats.need_more import NeedMore
from spliceproxy.formats.proxy_protocol.header import PeerAddress, ProxyHeader, ProxyProtocolError
from spliceproxy.formats.proxy_protocol.tlvs import check_crc32c, pack_tlvs, unpack_tlvs

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
MAX_BYTES = 2048
"""Of a header that is accepted; the format would allow 65,551."""

_FIXED = struct.Struct("!12sBBH")
_LOCAL, _PROXY = 0x20, 0x21
_IPV4, _IPV6, _UNIX = 0x11, 0x21, 0x31  # each with SOCK_STREAM
_ADDRESSES = {
    _IPV4: struct.Struct("!4s4sHH"),
    _IPV6: struct.Struct("!16s16sHH"),
    _UNIX: struct.Struct("!108s108s"),
}
_FAMILIES = {_IPV4: socket.AF_INET, _IPV6: socket.AF_INET6}


def decode(data: bytes) -> ProxyHeader | NeedMore:
    """Read a header that begins with the signature.

    Raises:
        ProxyProtocolError: it is not a header, or too long.
    """
    if len(data) > 12 and data[12] not in (_LOCAL, _PROXY):
        raise ProxyProtocolError(f"version and command 0x{data[12]:02x}")
    if len(data) < _FIXED.size:
        return NeedMore(_FIXED.size)
    _, command, family, body_bytes = _FIXED.unpack_from(data)
    length = _FIXED.size + body_bytes
    if length > MAX_BYTES:
        raise ProxyProtocolError(f"a header of {length} bytes, {MAX_BYTES} are accepted")
    if len(data) < length:
        return NeedMore(length)
    return _read(bytes(data[:length]), local=command == _LOCAL, family=family)


def _read(header: bytes, *, local: bool, family: int) -> ProxyHeader:
    layout = _ADDRESSES.get(family)
    if local or layout is None:
        # The block after the fixed part is to be ignored: unspecified, or of no family that a
        # stream can have. Where its TLVs would begin is not said either.
        return ProxyHeader(len(header), local=local)
    tlvs_at = _FIXED.size + layout.size
    if len(header) < tlvs_at:
        raise ProxyProtocolError("a header too short for its addresses")
    tlvs = unpack_tlvs(header, tlvs_at)
    check_crc32c(header, tlvs_at, tlvs)
    fields = layout.unpack_from(header, _FIXED.size)
    source: PeerAddress
    destination: PeerAddress
    if family == _UNIX:
        source, destination = _read_path(fields[0]), _read_path(fields[1])
    else:
        source = (socket.inet_ntop(_FAMILIES[family], fields[0]), fields[2])
        destination = (socket.inet_ntop(_FAMILIES[family], fields[1]), fields[3])
    return ProxyHeader(len(header), source, destination, tlvs=tlvs)


def _read_path(field: bytes) -> str:
    return os.fsdecode(field.rstrip(b"\0"))  # at its end alone: abstract names begin with one


def encode(
    source: PeerAddress | None,
    destination: PeerAddress | None,
    tlvs: Iterable[tuple[int, bytes]] = (),
) -> bytes:
    """Write a header for a connection passed on; without addresses, for one of our own.

    Raises:
        ValueError: a path does not fit, or the TLVs don't.
    """
    command = _PROXY
    if isinstance(source, tuple) and isinstance(destination, tuple):
        family, block = _pack_addresses(source, destination)
    elif isinstance(source, str) and isinstance(destination, str):
        family, block = _UNIX, _pack_path(source) + _pack_path(destination)
    else:
        family, block = 0, b""
        command = _LOCAL if source is None and destination is None else _PROXY
    block += pack_tlvs(tlvs)
    if _FIXED.size + len(block) > MAX_BYTES:
        raise ValueError(f"a header of more than {MAX_BYTES} bytes")
    return _FIXED.pack(SIGNATURE, command, family, len(block)) + block


def _pack_addresses(source: tuple[str, int], destination: tuple[str, int]) -> tuple[int, bytes]:
    packed = [pack_ip(source[0]), pack_ip(destination[0])]
    family = _IPV4 if len(packed[0]) == len(packed[1]) == 4 else _IPV6
    if family == _IPV6:
        packed = [map_ip(address) for address in packed]
    return family, _ADDRESSES[family].pack(*packed, source[1], destination[1])


def _pack_path(path: str) -> bytes:
    encoded = os.fsencode(path)
    if len(encoded) > 108:
        raise ValueError("the path of a unix socket has more than 108 bytes")
    return encoded.ljust(108, b"\0")
