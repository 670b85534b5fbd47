"""TCP segments in Ethernet frames, with the checksums that a network card would compute."""

import struct
from dataclasses import dataclass
from enum import IntFlag

MOST_DATA_BYTES = 65_475
"""That fits into a packet of IPv6 without a jumbogram and one of IPv4 alike, with both headers."""

_IPV4, _IPV6, _TCP = 0x0800, 0x86DD, 6
_TTL = 64
_WINDOW = 65_535


class TcpFlag(IntFlag):
    """Of RFC 9293, section 3.1."""

    FIN = 1
    SYN = 2
    RST = 4
    PSH = 8
    ACK = 16


@dataclass(frozen=True, slots=True)
class TcpEnd:
    """One end of a connection: its address as 4 or 16 bytes, its port."""

    ip: bytes
    port: int


def encode_tcp_frame(
    source: TcpEnd, target: TcpEnd, sequence: int, acknowledged: int, flags: int, data: bytes = b""
) -> bytes:
    """Return a frame; the addresses must be of one family."""
    header = struct.pack(
        "!HHIIBBHHH",
        source.port,
        target.port,
        sequence & 0xFFFFFFFF,
        acknowledged & 0xFFFFFFFF,
        5 << 4,  # header length in words
        flags,
        _WINDOW,
        0,
        0,
    )
    length = len(header) + len(data)
    pseudo = source.ip + target.ip + struct.pack("!II", length, _TCP)
    checksum = struct.pack("!H", _checksum(pseudo + header + data))
    segment = header[:16] + checksum + header[18:] + data
    return _ethernet(source, target) + _ip(source, target, length) + segment


def _ethernet(source: TcpEnd, target: TcpEnd) -> bytes:
    kind = _IPV4 if len(source.ip) == 4 else _IPV6
    return _mac(target) + _mac(source) + struct.pack("!H", kind)


def _mac(end: TcpEnd) -> bytes:
    """Make up an address that says to be one: locally administered (IEEE 802, 8.2)."""
    return b"\x02\x00" + end.ip[-4:]


def _ip(source: TcpEnd, target: TcpEnd, length: int) -> bytes:
    if len(source.ip) == 16:
        return struct.pack("!IHBB", 6 << 28, length, _TCP, _TTL) + source.ip + target.ip
    total, do_not_fragment = 20 + length, 0x4000
    start = struct.pack("!BBHHHBB", 0x45, 0, total, 0, do_not_fragment, _TTL, _TCP)
    addresses = source.ip + target.ip
    return start + struct.pack("!H", _checksum(start + bytes(2) + addresses)) + addresses


def _checksum(data: bytes) -> int:
    """Return the one's complement of the sum of 16-bit words (RFC 1071)."""
    data += bytes(len(data) % 2)
    # Words of 16 bits add up as a number does modulo 0xFFFF, since 0x10000 is 1 there.
    total = int.from_bytes(data) % 0xFFFF
    return ~total & 0xFFFF
