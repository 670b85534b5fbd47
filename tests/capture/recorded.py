"""Captures made by tests, record by record, without a proxy."""

from pathlib import Path
from zlib import crc32

from spliceproxy.formats.capture.encode import encode_header, encode_record, encode_text
from spliceproxy.formats.capture.layout import Flag, RecordKind, SegmentHeader
from spliceproxy.formats.capture.names import OPEN_SUFFIX, name_segment

BEGAN_NS = 1_790_000_000 * 10**9
"""Of every capture, by the wall clock; times of records are milliseconds after it."""


class Recorded:
    """A writer's segments; each method adds a record, `seal` writes the file."""

    def __init__(
        self, directory: Path, writer: int = 1, *, is_open: bool = False, jump_ms: int = 0
    ) -> None:
        self._directory = directory
        self._writer = writer
        self._is_open = is_open
        self._number = -1
        self._jump_ns = jump_ms * 10**6
        self._data = bytearray()
        self._began()

    def _began(self) -> None:
        self._number += 1
        wall_ns = BEGAN_NS + self._number * 1000 + self._jump_ns
        self._header = SegmentHeader(
            self._writer, self._number, wall_ns, 1000 + self._number * 1000
        )
        self._data = bytearray(encode_header(self._header))
        self._block = len(self._data)

    def add(
        self,
        kind: RecordKind,
        connection: int,
        at_ms: float,
        offset: int = 0,
        payload: bytes = b"",
        flags: int = 0,
    ) -> None:
        time_ns = 1000 + int(at_ms * 10**6)
        self._data += encode_record(kind, flags, connection, time_ns, offset, len(payload))
        self._data += payload

    def open(
        self, connection: int, at_ms: float = 0, *, is_continued: bool = False, **facts: object
    ) -> None:
        facts = {"route": "default", "client": "192.0.2.1:40001", "backend": "192.0.2.2:80"} | facts
        flags = Flag.CONTINUED if is_continued else 0
        self.add(RecordKind.OPEN, connection, at_ms, 0, encode_text(facts), flags)

    def data(
        self,
        connection: int,
        data: bytes,
        at_ms: float = 0,
        *,
        direction: str = "request",
        offset: int = 0,
    ) -> None:
        self.add(RecordKind.DATA, connection, at_ms, offset, data, _flag(direction))

    def gap(
        self,
        connection: int,
        offset: int,
        length: int | None,
        at_ms: float = 0,
        *,
        direction: str = "request",
        reason: str = "",
    ) -> None:
        payload = encode_text({"bytes": length, "reason": reason})
        self.add(RecordKind.GAP, connection, at_ms, offset, payload, _flag(direction))

    def sent(self, connection: int, offset: int, at_ms: float = 0, *, age_ms: float = 0) -> None:
        payload = encode_text({"age_ns": int(age_ms * 10**6)})
        self.add(RecordKind.SENT, connection, at_ms, offset, payload)

    def end(
        self,
        connection: int,
        offset: int,
        at_ms: float = 0,
        *,
        direction: str = "request",
        is_reset: bool = False,
    ) -> None:
        kind = RecordKind.RESET if is_reset else RecordKind.END
        self.add(kind, connection, at_ms, offset, b"", _flag(direction))

    def close(self, connection: int, at_ms: float = 0, **facts: object) -> None:
        self.add(RecordKind.CLOSE, connection, at_ms, 0, encode_text({"reason": "closed"} | facts))

    def end_block(self) -> None:
        checksum = crc32(self._data[self._block :])
        self._data += encode_record(RecordKind.BLOCK, 0, 0, 0, self._block, 0, checksum)
        self._block = len(self._data)

    def seal(self) -> Path:
        """End the block, and write the file; without an index, which nothing here needs."""
        self.end_block()
        path = self._directory / (name_segment(self._header) + OPEN_SUFFIX * self._is_open)
        path.write_bytes(self._data)
        return path

    def next_segment(self, jump_ms: int = 0) -> None:
        """Seal, and go on; meanwhile the wall clock may be set."""
        self.seal()
        self._jump_ns += jump_ms * 10**6
        self._began()


def _flag(direction: str) -> int:
    return Flag.RESPONSE if direction == "response" else 0
