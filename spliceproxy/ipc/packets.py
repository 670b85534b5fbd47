"""What the admin process and a worker say to one another: JSON, a packet a message.

The socket keeps packets apart (SOCK_SEQPACKET, unix(7)). Each answer has the number of its
request, so that one which comes too late is not taken for another's.
"""

import json
import socket
from typing import Any

MAX_PACKET_BYTES = 128 << 10
"""Below what a unix socket takes at once by default (net.core.wmem_default, 208 KiB)."""

Message = dict[str, Any]


def make_line() -> tuple[socket.socket, socket.socket]:
    """Make both ends of a line; neither waits."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setblocking(False)
    return ends


class PacketTooLongError(ValueError):
    """A message does not fit into a packet."""


def encode(message: Message) -> bytes:
    """Write a message.

    Raises:
        PacketTooLongError: it is too long for a packet.
    """
    packet = json.dumps(message, separators=(",", ":")).encode()
    if len(packet) > MAX_PACKET_BYTES:
        raise PacketTooLongError(f"a message of {len(packet)} bytes")
    return packet


def decode(packet: bytes) -> Message:
    """Read a message.

    Raises:
        ValueError: it is none.
    """
    message = json.loads(packet)
    if not isinstance(message, dict):
        raise ValueError(f"expected a message, not {packet[:60]!r}")
    return message
