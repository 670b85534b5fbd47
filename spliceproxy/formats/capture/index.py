"""Which connections a sealed segment has, and where they are."""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from spliceproxy.formats.capture.layout import MOST_PAYLOAD_BYTES

_ENTRY = struct.Struct("<QQQQQQQI4x")
ENTRY_BYTES = _ENTRY.size
MOST_ENTRIES = MOST_PAYLOAD_BYTES // ENTRY_BYTES


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One connection in one segment."""

    connection: int
    first_block: int
    """Where the block begins in which its first record is, so that checksums can be checked."""
    end: int
    """Where its last record ends."""
    first_ns: int
    last_ns: int
    request_bytes: int
    """So long was the stream when its last record was written, gaps included."""
    response_bytes: int
    gaps: int
    """In this segment."""


def encode_entries(entries: Iterable[IndexEntry]) -> bytes:
    """Return the payload of an index."""
    return b"".join(
        _ENTRY.pack(
            entry.connection,
            entry.first_block,
            entry.end,
            entry.first_ns,
            entry.last_ns,
            entry.request_bytes,
            entry.response_bytes,
            entry.gaps,
        )
        for entry in entries
    )


def decode_entries(payload: bytes) -> Iterator[IndexEntry]:
    """Return what an index has.

    Raises:
        ValueError: it has a part of an entry.
    """
    if len(payload) % ENTRY_BYTES:
        raise ValueError(f"{len(payload)} bytes are no whole number of entries")
    return (IndexEntry(*fields) for fields in _ENTRY.iter_unpack(payload))
