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
        "index",
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
        self.index: SegmentIndex | None = None
        """Of that segment."""
        self.streams: dict[str, CaptureOutlet] = {}
        self.first_ns = self.last_ns = 0
        """Of its records in that segment."""
        self.gaps = 0
        """In that segment."""

    def introduced(self, segment: int, index: "SegmentIndex", now_ns: int) -> None:
        """What comes is in another segment than what came before."""
        if self.index is not None:
            self.index.freeze(self)
        self.segment, self.index = segment, index
        self.first_ns = now_ns
        self.gaps = 0

    @property
    def state(self) -> tuple[int, int, int, int, int]:
        """What an index says of it, but for the blocks."""
        lengths = {direction: stream.end_offset for direction, stream in self.streams.items()}
        request_bytes, response_bytes = lengths.get("request", 0), lengths.get("response", 0)
        return self.first_ns, self.last_ns, request_bytes, response_bytes, self.gaps


class SegmentIndex:
    """Belongs to one segment; a connection that is over is kept as bytes alone."""

    def __init__(self) -> None:
        self._first_blocks: dict[CapturedConnection, int] = {}
        self._ends: dict[CapturedConnection, int] = {}
        self._frozen: dict[CapturedConnection, tuple[int, int, int, int, int]] = {}
        self._packed = bytearray()
        self._is_encoded = False
        self.count = 0
        """Of connections."""

    def note(self, batch: Batch, at: int, end: int) -> None:
        """A batch has become the block from `at` to `end`."""
        for connection in batch.connections:
            if connection not in self._first_blocks:
                self._first_blocks[connection] = at
                self.count += 1
            self._ends[connection] = end
        for connection in batch.closed:
            self._packed += self._pack(connection)
            del self._first_blocks[connection], self._ends[connection]
            self._frozen.pop(connection, None)

    def freeze(self, connection: CapturedConnection) -> None:
        """Keep what holds now: its records go into another segment, maybe before this is sealed."""
        if not self._is_encoded:
            self._frozen[connection] = connection.state

    def _pack(self, connection: CapturedConnection) -> bytes:
        state = connection.state  # before the look at the others: this may be another thread
        entry = IndexEntry(
            connection.number,
            self._first_blocks[connection],
            self._ends[connection],
            *self._frozen.get(connection, state),
        )
        return encode_entries([entry])

    def encode(self) -> bytes:
        """Return the payload; once, when nothing more is noted, in any thread."""
        payload = bytes(self._packed) + b"".join(map(self._pack, self._first_blocks))
        self._is_encoded = True
        # Connections that are silent keep this object.
        for kept in (self._first_blocks, self._ends, self._frozen, self._packed):
            kept.clear()
        return payload
