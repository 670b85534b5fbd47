"""Segments for tests, and what they have."""

from dataclasses import dataclass, field
from zlib import crc32

from spliceproxy.formats.capture.encode import encode_header, encode_record
from spliceproxy.formats.capture.layout import Flag, Record, RecordKind, SegmentHeader

HEADER = SegmentHeader(writer=0xFEEDFACE12345678, segment=3, wall_ns=1_790_000_000, monotonic_ns=7)


@dataclass
class Segment:
    """Written record by record; `checked` are those that a block's checksum covers."""

    data: bytearray = field(default_factory=lambda: bytearray(encode_header(HEADER)))
    records: list[Record] = field(default_factory=list)
    checked: int = 0
    checksum: int = 0
    block: int = 64

    def add(
        self, kind: int, connection: int, time_ns: int, offset: int, payload: bytes, flags: int = 0
    ) -> None:
        head = encode_record(kind, flags, connection, time_ns, offset, len(payload))  # type: ignore[arg-type]
        self.records.append(
            Record(kind, flags, connection, time_ns, offset, payload, len(self.data), self.block)
        )
        self.data += head + payload
        self.checksum = crc32(head, self.checksum)
        if not flags & Flag.UNCHECKED:
            self.checksum = crc32(payload, self.checksum)

    def end_block(self) -> None:
        self.data += encode_record(RecordKind.BLOCK, 0, 0, 0, self.block, 0, self.checksum)
        self.checked, self.checksum, self.block = len(self.records), 0, len(self.data)
