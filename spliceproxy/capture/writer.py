"""Writes a capture from one thread, for programs that make connections instead of relaying them.

The format is that of `capture:` mirrors. Nothing but this writer's segments is touched.
"""

import fcntl
import os
import time
from collections.abc import Mapping
from pathlib import Path
from zlib import crc32

from spliceproxy.capture.events import Direction
from spliceproxy.errors import StartProblem, quote
from spliceproxy.formats.capture.encode import encode_header, encode_record, encode_text
from spliceproxy.formats.capture.index import IndexEntry, encode_entries
from spliceproxy.formats.capture.layout import (
    HEADER_BYTES,
    Flag,
    RecordKind,
    SegmentHeader,
)
from spliceproxy.formats.capture.names import OPEN_SUFFIX, name_segment

_BLOCK_BYTES = 256 << 10  # as `capture:` mirrors have it; `flush` writes shorter ones
_SEGMENT_BYTES = 256 << 20
_MOST_CONNECTIONS = 65_536  # of a segment: its index takes 4 MiB then


class WrittenConnection:
    """A connection, and how far the writer has got with it."""

    __slots__ = ("facts", "first_block", "first_ns", "last_ns", "lengths", "number", "segment")

    def __init__(self, number: int, facts: Mapping[str, object]) -> None:
        self.number = number
        self.facts = facts
        self.segment = -1
        self.first_block = 0
        self.first_ns = self.last_ns = 0
        self.lengths: dict[str, int] = {"request": 0, "response": 0}


class CaptureWriter:
    """Keeps a block in memory; after `failure` it takes everything and writes nothing."""

    def __init__(self, directory: Path, *, segment_bytes: int = _SEGMENT_BYTES) -> None:
        """Make the directory if it is missing; the first segment begins with the first record.

        Raises:
            StartProblem: there can be no such directory, or nothing can be written into it.
        """
        self.failure: OSError | None = None
        """Why the capture ends early."""
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._writer = int.from_bytes(os.urandom(8), "little")
        self._connections = 0
        self._segment = -1
        self._fd = -1
        self._name = ""
        self._place = HEADER_BYTES
        self._block = bytearray()
        self._live: dict[int, WrittenConnection] = {}
        self._over: list[WrittenConnection] = []  # whose last block is not written yet
        self._packed = bytearray()
        self._entries = 0
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._begin_segment()
        except OSError as problem:
            raise StartProblem(
                f"{quote(str(directory))}: {problem.strerror}",
                "expected a directory that a capture can be written into",
            ) from None

    def open_connection(self, facts: Mapping[str, object]) -> WrittenConnection:
        """Have a connection begin; the facts say who talks to whom."""
        self._connections += 1
        connection = WrittenConnection(self._connections, facts)
        self._introduce(connection)
        self._added()
        return connection

    def data(self, connection: WrittenConnection, direction: Direction, data: bytes) -> None:
        """Put in bytes that have moved just now; at most as many as one record may have."""
        offset = connection.lengths[direction]
        connection.lengths[direction] += len(data)
        self._put(RecordKind.DATA, connection, direction, offset, data)

    def end(self, connection: WrittenConnection, direction: Direction, *, is_reset: bool) -> None:
        """Have a direction end."""
        kind = RecordKind.RESET if is_reset else RecordKind.END
        self._put(kind, connection, direction, connection.lengths[direction], b"")

    def close_connection(self, connection: WrittenConnection, facts: Mapping[str, object]) -> None:
        """Have a connection be over."""
        self._put(RecordKind.CLOSE, connection, "request", 0, encode_text(facts))
        self._live.pop(connection.number, None)
        self._over.append(connection)
        self._added()

    def flush(self) -> None:
        """Write what is in memory as a block."""
        block, self._block = self._block, bytearray()
        if not block or self.failure is not None:
            return
        now_ns = time.monotonic_ns()
        block += encode_record(RecordKind.BLOCK, 0, 0, now_ns, self._place, 0, crc32(block))
        try:
            _write(self._fd, block)
        except OSError as problem:
            self._fail(problem)
            return
        self._place += len(block)
        for connection in self._over:
            self._packed += _pack(connection, self._place)
        self._over.clear()

    def close(self) -> None:
        """Write all, and seal the segment; connections that are open still go without an end."""
        self.flush()
        self._seal()

    def _put(
        self,
        kind: RecordKind,
        connection: WrittenConnection,
        direction: Direction,
        offset: int,
        payload: bytes,
    ) -> None:
        if connection.segment != self._segment:
            self._introduce(connection)
        connection.last_ns = now_ns = time.monotonic_ns()
        flags = Flag.RESPONSE if direction == "response" else 0
        self._block += encode_record(kind, flags, connection.number, now_ns, offset, len(payload))
        self._block += payload
        if kind is not RecordKind.CLOSE:
            self._added()

    def _introduce(self, connection: WrittenConnection) -> None:
        flags = Flag.CONTINUED if connection.segment >= 0 else 0
        connection.segment, connection.first_block = self._segment, self._place
        connection.first_ns = connection.last_ns = now_ns = time.monotonic_ns()
        payload = encode_text(connection.facts)
        head = encode_record(RecordKind.OPEN, flags, connection.number, now_ns, 0, len(payload))
        self._block += head + payload
        self._live[connection.number] = connection
        self._entries += 1

    def _added(self) -> None:
        if len(self._block) < _BLOCK_BYTES:
            return
        self.flush()
        if self._place >= self._segment_bytes or self._entries >= _MOST_CONNECTIONS:
            self._seal()
            if self.failure is None:
                try:
                    self._begin_segment()
                except OSError as problem:
                    self._fail(problem)

    def _begin_segment(self) -> None:
        self._segment += 1
        header = SegmentHeader(self._writer, self._segment, time.time_ns(), time.monotonic_ns())
        self._name = name_segment(header)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._fd = os.open(self._directory / (self._name + OPEN_SUFFIX), flags, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # tells others that it has a writer
        _write(self._fd, encode_header(header))
        self._place = HEADER_BYTES
        self._packed = bytearray()
        self._live.clear()
        self._entries = 0

    def _seal(self) -> None:
        """Write the index, and give the segment its name; one that has failed stays open."""
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        try:
            if self.failure is None:
                index = bytes(self._packed)
                index += b"".join(_pack(each, self._place) for each in self._live.values())
                now_ns = time.monotonic_ns()
                head = encode_record(RecordKind.INDEX, 0, 0, now_ns, 0, len(index), crc32(index))
                _write(fd, head + index)
                _write(fd, encode_record(RecordKind.TRAILER, 0, 0, now_ns, self._place))
                path = self._directory / self._name
                path.with_name(path.name + OPEN_SUFFIX).rename(path)
        except OSError as problem:
            self._fail(problem)
        finally:
            os.close(fd)

    def _fail(self, problem: OSError) -> None:
        self.failure = self.failure or problem


def _pack(connection: WrittenConnection, end: int) -> bytes:
    entry = IndexEntry(
        connection.number,
        connection.first_block,
        end,
        connection.first_ns,
        connection.last_ns,
        connection.lengths["request"],
        connection.lengths["response"],
        0,
    )
    return encode_entries([entry])


def _write(fd: int, data: bytes | bytearray) -> None:
    with memoryview(data) as view:
        written = 0
        while written < len(view):
            written += os.write(fd, view[written:])
