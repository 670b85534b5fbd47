"""Packets in a file that Wireshark reads: pcapng (draft-ietf-opsawg-pcapng)."""

import struct

ETHERNET = 1
"""Link type (https://www.tcpdump.org/linktypes.html)."""
SNAP_BYTES = 262_144
"""Wireshark's largest; the field tells readers what memory to have."""

_COMMENT, _IF_TSRESOL, _SHB_USERAPPL = 1, 9, 4
_NANOSECONDS = 9  # 10 to the power of minus this
_SECTION, _INTERFACE, _PACKET, _SECRETS = 0x0A0D0D0A, 1, 6, 10
_TLS_KEY_LOG = 0x544C534B
_MOST_COMMENT_BYTES = 4096
_LAST_NS = (1 << 64) - 1


def encode_section(program: str) -> bytes:
    """Return the beginning of a file: one section, and one interface with times in nanoseconds."""
    section = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
    options = _option(_SHB_USERAPPL, program.encode()) + _option(0, b"")
    interface = struct.pack("<HHI", ETHERNET, 0, SNAP_BYTES)
    resolution = _option(_IF_TSRESOL, bytes([_NANOSECONDS])) + _option(0, b"")
    return _block(_SECTION, section + options) + _block(_INTERFACE, interface + resolution)


def encode_packet(time_ns: int, frame: bytes, comment: str = "") -> bytes:
    """Return one packet, with its time since 1970, or the nearest that can be told."""
    length, time_ns = len(frame), min(max(0, time_ns), _LAST_NS)
    head = struct.pack("<IIIII", 0, time_ns >> 32, time_ns & 0xFFFFFFFF, length, length)
    options = b""
    if comment:
        text = (
            comment.encode(errors="replace")[:_MOST_COMMENT_BYTES].decode(errors="ignore").encode()
        )
        options = _option(_COMMENT, text) + _option(0, b"")
    return _block(_PACKET, head + _padded(frame) + options)


def encode_tls_secrets(lines: bytes) -> bytes:
    """Return lines of a key log, for packets that come after them."""
    return _block(_SECRETS, struct.pack("<II", _TLS_KEY_LOG, len(lines)) + _padded(lines))


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
