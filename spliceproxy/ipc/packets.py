"""What the admin process and a worker say to one another: JSON, a packet a message.

The socket keeps packets apart (SOCK_SEQPACKET, unix(7)). A request is ``{"number": …, "what": …}``
with what belongs to it, see `Question`. An answer is one packet or several: ``{"number": …,
"found": […], "more": …}``, the last one with ``"more": false``, and with an ``"error"`` if it
failed. It has the number of its request, so that one which comes too late is not taken for
another's.
"""

import json
import socket
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any

MAX_PACKET_BYTES = 128 << 10
"""Below what a unix socket takes at once by default (net.core.wmem_default, 208 KiB)."""

_MAX_ERROR_CHARACTERS = 500

Message = dict[str, Any]


class Question(StrEnum):
    """What a worker may be asked, with the keys that belong to it, and what is found."""

    CONNECTIONS = "connections"
    """`selection`, `limit`: connections, each described."""
    CLOSE = "close"
    """`selection`: how many connections were reset."""
    ATTACH = "attach"
    """`attachment`: nothing where no client of that kind comes; else why it is `refused`, or ""."""
    DETACH = "detach"
    """`attachment`, its number: whether the worker had it."""
    ATTACHED = "attached"
    """All attachments."""
    STOP_MIRROR = "stop_mirror"
    """`route`, `mirror`: how many streams have ended."""


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


def encode_answer(number: object, found: Sequence[Any], *, more: bool) -> Iterator[bytes]:
    """Yield a piece of an answer in packets: several where it is too long for one.

    Raises:
        PacketTooLongError: a single thing that was found is too long for a packet.
    """
    try:
        yield encode({"number": number, "found": found, "more": more})
    except PacketTooLongError:
        if len(found) == 1:
            raise
        half = len(found) // 2
        yield from encode_answer(number, found[:half], more=True)
        yield from encode_answer(number, found[half:], more=more)


def encode_failure(number: object, error: Exception) -> bytes:
    """Return the last packet of an answer that could not be given."""
    why = repr(error)[:_MAX_ERROR_CHARACTERS]
    return encode({"number": number, "found": [], "more": False, "error": why})
