"""Capture segments from bytes that nobody vouches for: cut short, garbled, or made by an enemy."""

import json
from dataclasses import dataclass
from struct import Struct
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

_SUMS = frozenset({int(RecordKind.BLOCK), int(RecordKind.INDEX)})
_UNCHECKED = int(Flag.UNCHECKED)
_unpack = Struct(f"{RECORD.format}I").unpack_from  # with the checksum that follows
_new_record = tuple.__new__  # looked up once, as it is the hot path


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
        self._pieces: list[bytes] = []  # what stands behind the last whole record
        self._pieces_bytes = 0
        self._needed_bytes = RECORD_BYTES  # of it, for the next record
        self._at = at  # in the segment, of its first byte
        self._block_at = at
        self._checksum = 0  # of the block's records so far
        self._held: list[Record] = []

    def feed(self, data: bytes) -> list[Record]:
        """Take the bytes that follow; returns the records that are known to be whole now."""
        released: list[Record] = []
        if self.damage is not None:
            return released
        self._pieces.append(data)
        self._pieces_bytes += len(data)
        if self._pieces_bytes >= self._needed_bytes:
            data = b"".join(self._pieces)
            done = self._decode(data, released)
            self._at += done
            self._pieces = [data[done:]]
            self._pieces_bytes -= done
        return released

    def end(self) -> list[Record]:
        """No more comes: return the whole records before any damage that no checksum covers."""
        held, self._held = self._held, []
        if self._pieces_bytes and self.damage is None:
            what = f"{self._pieces_bytes} bytes are no whole record"
            self.damage = Damage(self._at, what, is_cut=True)
        return held

    def _decode(self, data: bytes, released: list[Record]) -> int:
        """Take the whole records; returns how many bytes they have."""
        at, block_at, end, start, summed = self._at, self._block_at, len(data), 0, 0
        self._needed_bytes = RECORD_BYTES
        while end - start >= RECORD_BYTES:
            payload_at = start + RECORD_BYTES
            size, kind, flags, _, connection, time_ns, offset, checksum, own = _unpack(data, start)
            following = payload_at + size
            if size > MOST_PAYLOAD_BYTES or crc32(data[start : start + RECORD.size]) != own:
                self._note_head(data[start:payload_at], at + start)
                break
            if following > end:
                self._needed_bytes = following - start
                break
            payload = data[payload_at:following]
            fields = (kind, flags, connection, time_ns, offset, payload, at + start, block_at)
            record: Record = _new_record(Record, fields)
            if kind in _SUMS:
                self._sum(data, summed, start)
                if not self._is_sum_right(record, checksum, released):
                    return start
                block_at, summed = self._block_at, following
            else:
                self._held.append(record)
                if flags & _UNCHECKED:
                    self._sum(data, summed, payload_at)
                    summed = following
            start = following
        self._sum(data, summed, start)
        self._bound_block(at + start)
        return start

    def _note_head(self, head: bytes, at: int) -> None:
        size, *_, own = _unpack(head)
        is_right = crc32(head[: RECORD.size]) == own
        what = f"a record of {size} bytes" if is_right else "a record's checksum is wrong"
        self.damage = Damage(at, what)

    def _sum(self, data: bytes, start: int, end: int) -> None:
        """Compute on: the checksum of a block takes all of it at once, or most."""
        if start < end:
            self._checksum = crc32(memoryview(data)[start:end], self._checksum)

    def _is_sum_right(self, record: Record, checksum: int, released: list[Record]) -> bool:
        """Look at the checksum that a record brings, and let go what it covers."""
        if record.kind == RecordKind.INDEX:
            if checksum != crc32(record.payload):
                self.damage = Damage(record.at, "the index's checksum is wrong")
            else:
                released.append(record)
        elif checksum != self._checksum or record.offset != self._block_at:
            self.damage = Damage(self._block_at, "a block's checksum is wrong")
            self._held.clear()
        elif self._bound_block(record.at):
            released += self._held
            self._held.clear()
            self._block_at = record.at + RECORD_BYTES
            self._checksum = 0
        return self.damage is None

    def _bound_block(self, at: int) -> bool:
        """Look whether a block that goes on here is one that can be held."""
        if self.damage is not None:
            return False
        if at - self._block_at > MOST_BLOCK_BYTES:
            self.damage = Damage(self._block_at, f"a block of over {MOST_BLOCK_BYTES} bytes")
        elif len(self._held) > MOST_BLOCK_RECORDS:
            self.damage = Damage(self._block_at, f"a block of over {MOST_BLOCK_RECORDS} records")
        return self.damage is None


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
