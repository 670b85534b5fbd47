"""Capture segments to bytes."""

import json
from collections.abc import Mapping
from zlib import crc32

from spliceproxy.formats.capture.layout import (
    CHECKSUM,
    HEADER,
    HEADER_BYTES,
    MAGIC,
    MOST_TEXT_BYTES,
    RECORD,
    RecordKind,
    SegmentHeader,
)

_dump_text = json.JSONEncoder(default=str, separators=(",", ":")).encode
_pack_record, _pack_checksum = RECORD.pack, CHECKSUM.pack  # looked up once: it is the hot path


def encode_header(header: SegmentHeader) -> bytes:
    """Return the beginning of a segment."""
    fields = HEADER.pack(
        MAGIC,
        header.version,
        HEADER_BYTES,
        header.flags,
        header.writer,
        header.segment,
        header.wall_ns,
        header.monotonic_ns,
        0,
    )
    return fields + CHECKSUM.pack(crc32(fields))


def encode_record(
    kind: RecordKind,
    flags: int,
    connection: int,
    time_ns: int,
    offset: int,
    payload_bytes: int = 0,
    checksum: int = 0,
) -> bytes:
    """Return a record's header; so many bytes of payload are to follow."""
    fields = _pack_record(payload_bytes, kind, flags, 0, connection, time_ns, offset, checksum)
    return fields + _pack_checksum(crc32(fields))


def encode_text(facts: Mapping[str, object]) -> bytes:
    """Return a payload that is JSON; the longest texts are cut if it would be too long for one."""
    data = _dump(facts)
    if len(data) <= MOST_TEXT_BYTES:
        return data
    return _dump({key: value for key, value in facts.items() if len(_dump({key: value})) < 4096})


def _dump(facts: Mapping[str, object]) -> bytes:
    return _dump_text(facts).encode()
