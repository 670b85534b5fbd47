"""What happened on a captured connection, piece by piece."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from spliceproxy.formats.capture.decode import decode_text
from spliceproxy.formats.capture.layout import Flag, Record, RecordKind, SegmentHeader

Direction = Literal["request", "response"]

_DATA, _RESPONSE = int(RecordKind.DATA), int(Flag.RESPONSE)
_UNCHECKED = int(Flag.UNCHECKED)
_new = tuple.__new__  # looked up once, and half the time of the classes' own: it is the hot path
_ID = re.compile(r"([0-9a-f]{16})-(\d{1,20})", re.ASCII)


class ConnectionId(NamedTuple):
    """A connection, unique among all proxies, workers and restarts."""

    writer: int
    number: int

    def __str__(self) -> str:
        return f"{self.writer:016x}-{self.number}"

    @classmethod
    def parse(cls, text: str) -> "ConnectionId":
        """Read one as it is written.

        Raises:
            ValueError: it is none.
        """
        found = _ID.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no connection: expected one as in 6c1f0a9e5b7d2c34-12")
        return cls(int(found[1], 16), int(found[2]))


class Data(NamedTuple):
    """Bytes that the proxy moved in one piece."""

    connection: ConnectionId
    time_ns: int
    """Since 1970, by a clock that does not jump within a segment."""
    direction: Direction
    offset: int
    """In the stream of this direction."""
    data: bytes
    is_checked: bool
    """A checksum covers the bytes."""


_connection_id = lru_cache(1 << 16)(ConnectionId)  # most events are of the same few


@dataclass(frozen=True, slots=True)
class End:
    """A direction is over."""

    connection: ConnectionId
    time_ns: int
    direction: Direction
    offset: int
    is_reset: bool
    """It was broken off; else it has ended in order."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A range of a direction that the capture does not have."""

    connection: ConnectionId
    time_ns: int
    direction: Direction
    offset: int
    length: int | None
    """In bytes; None: nobody knows, and nothing follows."""
    reason: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection begins, or goes on in another segment."""

    connection: ConnectionId
    time_ns: int
    is_continued: bool
    facts: dict[str, object]
    """Who talks to whom: `route`, `client`, `backend`, `listener` and others."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Who answers on a mirror's connection has got the mirrored request up to an offset.

    `spliceproxy.capture.with_requests` puts the bytes in its place.
    """

    connection: ConnectionId
    time_ns: int
    """When that was told, before the next answer."""
    offset: int
    sent_ns: int
    """When the last of it was sent."""


@dataclass(frozen=True, slots=True)
class Closed:
    """A connection is over."""

    connection: ConnectionId
    time_ns: int
    facts: dict[str, object]
    """Its line of the access log, with the accounts of its mirrors."""


Event = Opened | Data | End | Missing | Sent | Closed


def event_of(header: SegmentHeader, record: Record) -> Event | None:
    """Return what a record tells; None: nothing of a connection, or what later versions have.

    Raises:
        ValueError: its text cannot be read.
    """
    kind, flags, number, time_ns, offset, payload, _, _ = record
    connection = _connection_id(header.writer, number)
    time_ns += header.wall_ns - header.monotonic_ns
    direction: Direction = "response" if flags & _RESPONSE else "request"
    if kind == _DATA:
        is_checked = not flags & _UNCHECKED
        return _new(Data, (connection, time_ns, direction, offset, payload, is_checked))
    match kind:
        case RecordKind.END | RecordKind.RESET:
            is_reset = record.kind == RecordKind.RESET
            return End(connection, time_ns, direction, record.offset, is_reset)
        case RecordKind.GAP:
            return _missing(connection, time_ns, direction, record)
        case RecordKind.SENT:
            age_ns = decode_text(record.payload).get("age_ns", 0)
            if not (isinstance(age_ns, int) and age_ns >= 0):
                raise ValueError("a request that was sent at no time")
            return Sent(connection, time_ns, record.offset, time_ns - age_ns)
        case RecordKind.OPEN:
            is_continued = bool(record.flags & Flag.CONTINUED)
            return Opened(connection, time_ns, is_continued, decode_text(record.payload))
        case RecordKind.CLOSE:
            return Closed(connection, time_ns, decode_text(record.payload))
    return None


def _missing(
    connection: ConnectionId, time_ns: int, direction: Direction, record: Record
) -> Missing:
    facts = decode_text(record.payload)
    length, reason = facts.get("bytes"), str(facts.get("reason", ""))
    if not (length is None or (isinstance(length, int) and length >= 0)):
        raise ValueError("a gap of no length")
    return Missing(connection, time_ns, direction, record.offset, length, reason)
