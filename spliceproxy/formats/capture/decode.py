"""Capture segments from bytes that nobody vouches for: cut short, garbled, or made by an enemy."""

import json
from dataclasses import dataclass
from zlib import crc32

from spliceproxy.formats.capture.layout import (
    CHECKSUM,
    HEADER,
    HEADER_BYTES,
    MAGIC,
    MOST_BLOCK_BYTES,
    MOST_BLOCK_RECORDS,
    MOST_PAYLOAD_BYTES,
    MOST_TEXT_BYTES,
    RECORD,
    RECORD_BYTES,
    VERSION,
    Flag,
    Record,
    RecordKind,
    SegmentHeader,
)
from spliceproxy.formats.need_more import NeedMore


class NotACaptureError(ValueError):
    """The bytes are not the beginning of a segment that can be read here."""


@dataclass(frozen=True, slots=True)
class Damage:
    """Where in a segment something is wrong, and what; nothing behind it can be trusted."""

    at: int
    what: str
    is_cut: bool = False
    """The rest is missing; if somebody writes the segment, it is still to come."""


def decode_header(data: bytes) -> SegmentHeader | NeedMore:
    """Read the beginning of a segment.

    Raises:
        NotACaptureError: says what it is instead.
    """
    if data[: len(MAGIC)] != MAGIC[: len(data)]:
        raise NotACaptureError("not a capture: it does not begin as one")
    if len(data) < HEADER_BYTES:
        return NeedMore(HEADER_BYTES)
    _, version, length, flags, writer, segment, wall_ns, monotonic_ns, _ = HEADER.unpack_from(data)
    (checksum,) = CHECKSUM.unpack_from(data, HEADER.size)
    if checksum != crc32(data[: HEADER.size]):
        raise NotACaptureError("a capture with a damaged beginning: its checksum is wrong")
    if version != VERSION or length != HEADER_BYTES:
        raise NotACaptureError(
            f"a capture of version {version}: this program reads version {VERSION}"
        )
    return SegmentHeader(writer, segment, wall_ns, monotonic_ns, flags, version)


class RecordDecoder:
    """Takes bytes from the header's end on, or from the beginning of any block.

    Records come out when the checksum of their block has been found right. What stands behind the
    last checksum, as after a crash, comes out at `end`.
    """

    def __init__(self, at: int = HEADER_BYTES) -> None:
        self.damage: Damage | None = None
        """Why nothing more comes out."""
        self._data = bytearray()
        self._at = at  # in the segment, of the first byte of `_data`
        self._block_at = at
        self._block_bytes = 0
        self._checksum = 0
        self._held: list[Record] = []

    def feed(self, data: bytes) -> list[Record]:
        """Take the bytes that follow; returns the records that are known to be whole now."""
        released: list[Record] = []
        if self.damage is not None:
            return released
        self._data += data
        start = 0
        while self.damage is None:
            record = self._next(start)
            if record is None:
                break
            start += RECORD_BYTES + len(record.payload)
            self._take(record, released)
        self._at += start
        del self._data[:start]
        return released

    def end(self) -> list[Record]:
        """No more comes: return the whole records before any damage that no checksum covers."""
        held, self._held = self._held, []
        if self._data and self.damage is None:
            what = f"{len(self._data)} bytes are no whole record"
            self.damage = Damage(self._at, what, is_cut=True)
        return held

    def _next(self, start: int) -> Record | None:
        data, at = self._data, self._at + start
        if len(data) - start < RECORD_BYTES:
            return None
        size, kind, flags, _, connection, time_ns, offset, checksum = RECORD.unpack_from(
            data, start
        )
        payload_at = start + RECORD_BYTES
        head = bytes(data[start:payload_at])
        if CHECKSUM.unpack_from(head, RECORD.size)[0] != crc32(head[: RECORD.size]):
            self.damage = Damage(at, "a record's checksum is wrong")
        elif size > MOST_PAYLOAD_BYTES:
            self.damage = Damage(at, f"a record of {size} bytes")
        elif len(data) - payload_at >= size:
            payload = bytes(data[payload_at : payload_at + size])
            return self._checked(
                Record(kind, flags, connection, time_ns, offset, payload, at, self._block_at),
                head,
                checksum,
            )
        return None

    def _checked(self, record: Record, head: bytes, checksum: int) -> Record | None:
        """Look at the checksum that a record brings, if it does, and compute with the others."""
        if record.kind == RecordKind.BLOCK:
            if checksum != self._checksum or record.offset != self._block_at:
                self.damage = Damage(self._block_at, "a block's checksum is wrong")
                self._held.clear()
                return None
        elif record.kind == RecordKind.INDEX:
            if checksum != crc32(record.payload):
                self.damage = Damage(record.at, "the index's checksum is wrong")
                return None
        else:
            self._checksum = crc32(head, self._checksum)
            if not record.flags & Flag.UNCHECKED:
                self._checksum = crc32(record.payload, self._checksum)
        return record

    def _take(self, record: Record, released: list[Record]) -> None:
        if record.kind == RecordKind.BLOCK:
            released += self._held
            self._held.clear()
            self._block_at = record.at + RECORD_BYTES
            self._block_bytes = self._checksum = 0
            return
        if record.kind == RecordKind.INDEX:
            released.append(record)
            return
        self._held.append(record)
        self._block_bytes += RECORD_BYTES + len(record.payload)
        if self._block_bytes > MOST_BLOCK_BYTES:
            self.damage = Damage(self._block_at, f"a block of over {MOST_BLOCK_BYTES} bytes")
        elif len(self._held) > MOST_BLOCK_RECORDS:
            self.damage = Damage(self._block_at, f"a block of over {MOST_BLOCK_RECORDS} records")


def decode_trailer(data: bytes) -> int | None:
    """Return where the index is of a segment that ends with these bytes; None: it has none."""
    if len(data) < RECORD_BYTES:
        return None
    last = data[-RECORD_BYTES:]
    _, kind, _, _, _, _, offset, _ = RECORD.unpack_from(last)
    (checksum,) = CHECKSUM.unpack_from(last, RECORD.size)
    if kind != RecordKind.TRAILER or checksum != crc32(last[: RECORD.size]):
        return None
    return int(offset)


def decode_text(payload: bytes) -> dict[str, object]:
    """Read a payload that is JSON.

    Raises:
        ValueError: it is not, or is no object, or longer than any.
    """
    if len(payload) > MOST_TEXT_BYTES:
        raise ValueError(f"{len(payload)} bytes of text: expected at most {MOST_TEXT_BYTES}")
    try:
        facts = json.loads(payload)
    except RecursionError:
        raise ValueError("text that is nested too deeply") from None
    if not isinstance(facts, dict):
        raise ValueError("text that is no object")
    return facts
