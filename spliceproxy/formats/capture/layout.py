"""What a capture segment is made of. All numbers are little-endian.

A segment is a header and records. A record is a header of 40 bytes and a payload:

======  =====  ===============================================================
offset  bytes  field
======  =====  ===============================================================
0       4      length of the payload
4       1      kind
5       1      flags
6       2      0
8       8      connection: its number, unique together with the segment's writer
16      8      time, CLOCK_MONOTONIC, ns
24      8      offset: in the stream of one direction, or in the segment
32      4      checksum of what the kind says, or 0
36      4      checksum of the 36 bytes before
======  =====  ===============================================================

Checksums are CRC-32 as in zip and Ethernet (zlib.crc32): the one that a machine computes fast
without a library of its own.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

MAGIC = b"SPLCAP\r\n"
"""The line's end shows what a transfer as text has done to a file."""
VERSION = 1

HEADER = struct.Struct("<8sHHIQQQQQ4x")
"""Magic, version, length of the header, flags, writer, segment, wall clock ns, monotonic ns,
where the index is; behind it the checksum."""
HEADER_BYTES = 64

RECORD = struct.Struct("<IBBHQQQI")
CHECKSUM = struct.Struct("<I")
RECORD_BYTES = 40

MOST_PAYLOAD_BYTES = 16 << 20
"""A record that claims more is damaged. Data comes in pieces of 1 MiB at most."""
MOST_BLOCK_BYTES = 32 << 20
"""So much a reader holds until its checksum has come. Writers make blocks of far less."""
MOST_BLOCK_RECORDS = 65_536
"""Of a block: a record takes a reader some hundred bytes, whatever its payload."""
MOST_TEXT_BYTES = 64 << 10
"""Of a payload that is JSON."""


class RecordKind(IntEnum):
    """What a record tells."""

    OPEN = 1  # a connection has begun, or goes on in this segment: JSON
    DATA = 2  # bytes of a direction, at an offset of its stream
    END = 3  # a direction has ended in order, at this offset
    RESET = 4  # a direction was broken off
    GAP = 5  # bytes of a direction, from this offset on, are missing: JSON
    CLOSE = 6  # the connection is over, and this became of it: JSON
    BLOCK = 7  # checksum of all since the last one, which ended at this offset of the segment
    INDEX = 8  # entries of `index`; the checksum is the payload's
    TRAILER = 9  # the last one: the index is at this offset of the segment
    SENT = 10  # a mirror's peer has got the request up to this offset: JSON


class Flag(IntEnum):
    """What a record's flags say, bit by bit."""

    RESPONSE = 1  # of the direction from the backend to the client; else the other one
    CONTINUED = 2  # OPEN: the connection began before this segment
    UNCHECKED = 4  # DATA: spliced past everybody's eyes; no checksum covers the payload


@dataclass(frozen=True, slots=True)
class SegmentHeader:
    """Who has written a segment, and when it was begun."""

    writer: int
    """Drawn by lot by each writer, so that (writer, connection) is unique among all proxies."""
    segment: int
    """Counted by the writer."""
    wall_ns: int
    """Since 1970; at this moment the monotonic clock had `monotonic_ns`."""
    monotonic_ns: int
    flags: int = 0
    version: int = VERSION


class Record(NamedTuple):
    """One record; its header's checksum was right.

    A tuple, as there are millions: to make a frozen dataclass takes four times as long.
    """

    kind: int
    """Of `RecordKind`, unless a later version of the format has others."""
    flags: int
    connection: int
    time_ns: int
    offset: int
    payload: bytes
    at: int
    """Where in the segment its header stands."""
    block: int
    """Where the block begins that it is in."""

    @property
    def direction(self) -> str:
        """The one that it is about, as mirrors call it."""
        return "response" if self.flags & Flag.RESPONSE else "request"
