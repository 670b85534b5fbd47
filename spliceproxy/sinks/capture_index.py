"""What a segment's index will say, gathered while the segment is written."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from spliceproxy.formats.capture.index import IndexEntry, encode_entries
from spliceproxy.sinks.capture_batch import Batch

if TYPE_CHECKING:
    from spliceproxy.sinks.capture_outlet import CaptureOutlet


class CapturedConnection:
    """A connection, and how far the log has got with it."""

    __slots__ = (
        "describe",
        "first_ns",
        "gaps",
        "is_over",
        "last_ns",
        "number",
        "segment",
        "streams",
    )

    def __init__(self, number: int, describe: Callable[[], dict[str, object]]) -> None:
        self.number = number
        self.describe = describe
        """Tells who talks to whom."""
        self.segment = -1
        """In which it was introduced last; -1: nowhere yet."""
        self.streams: dict[str, CaptureOutlet] = {}
        self.first_ns = self.last_ns = 0
        """Of its records in that segment."""
        self.gaps = 0
        """In that segment."""
        self.is_over = False
        """Its last record has been put in."""


class SegmentIndex:
    """Belongs to one segment; a connection that is over is kept as bytes alone."""

    def __init__(self) -> None:
        self._first_blocks: dict[CapturedConnection, int] = {}
        self._ends: dict[CapturedConnection, int] = {}
        self._packed = bytearray()
        self.count = 0
        """Of connections."""

    def note(self, batch: Batch, place: int, end: int) -> None:
        """A batch has become the block from `place` to `end`."""
        for connection in batch.connections:
            if connection not in self._first_blocks:
                self._first_blocks[connection] = place
                self.count += 1
            self._ends[connection] = end
            if connection.is_over:
                self._packed += self._pack(connection)
                del self._first_blocks[connection], self._ends[connection]

    def _pack(self, connection: CapturedConnection) -> bytes:
        lengths = {direction: stream.end_offset for direction, stream in connection.streams.items()}
        entry = IndexEntry(
            connection.number,
            self._first_blocks[connection],
            self._ends[connection],
            connection.first_ns,
            connection.last_ns,
            lengths.get("request", 0),
            lengths.get("response", 0),
            connection.gaps,
        )
        return encode_entries([entry])

    def encode(self) -> bytes:
        """Return the payload; to be called when nothing more is noted, in any thread."""
        return bytes(self._packed) + b"".join(map(self._pack, self._first_blocks))
