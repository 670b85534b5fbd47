"""What waits to be written to a capture segment, in the order in which it came."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from spliceproxy.formats.capture.layout import RECORD_BYTES
from spliceproxy.tap.chunk import PipeChunk

if TYPE_CHECKING:
    from spliceproxy.sinks.capture_index import CapturedConnection
    from spliceproxy.sinks.capture_outlet import CaptureOutlet

HAND_OVER_BYTES = 256 << 10
"""Handing work to a thread and back costs more than a small message: it is done for so many
bytes, or when the first of them has waited long enough."""

Told = Callable[[OSError | None], None]


class Portion:
    """What one stream has in a batch."""

    __slots__ = ("_began_at", "gaps_from", "overhead_bytes", "ranges")

    def __init__(self, offset: int) -> None:
        """`offset`: where its next bytes begin."""
        self.ranges: list[tuple[int, int]] = []
        """Offsets and lengths of its bytes."""
        self.overhead_bytes = 0
        """Of headers, which take memory, too."""
        self.gaps_from: int | None = None
        """Offset of the first gap that it tells of: if this is lost, it has to be told again."""
        self._began_at = offset

    @property
    def count(self) -> int:
        """Bytes of the stream, up to the last range that was ended."""
        return sum(length for _, length in self.ranges)

    def end_range(self, end: int, next_begin: int) -> None:
        """Its bytes go up to here, without a gap; others may begin there."""
        if end > self._began_at:
            self.ranges.append((self._began_at, end - self._began_at))
        self._began_at = next_begin

    def note_gap(self, offset: int) -> None:
        """There is a gap from here on."""
        if self.gaps_from is None:
            self.gaps_from = offset


class Batch:
    """Records in memory, and among them data in pipes; it goes to the disk as one block.

    One that has grown while the disk stood still becomes several, as a reader holds a whole one.
    """

    def __init__(self) -> None:
        self.parts: list[bytearray | PipeChunk | None] = []
        """In their order; None ends a block."""
        self.tail = bytearray()
        """The last part, which is not among the others yet."""
        self.pipes = 0
        self.portions: dict[CaptureOutlet, Portion] = {}
        self.connections: dict[CapturedConnection, None] = {}
        """That have a record in here."""
        self.closed: list[CapturedConnection] = []
        """Whose last record is in here."""
        self.told: list[Told] = []
        """Who is told when all is written, or why not."""
        self._earlier_bytes = 0
        self._block_at = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write, and nobody to tell."""
        return not (self.tail or self._earlier_bytes or self.portions or self.told)

    @property
    def size(self) -> int:
        """How many bytes of a segment it will take, without the last block's checksum."""
        return self._earlier_bytes + len(self.tail)

    def join(self, outlet: "CaptureOutlet", offset: int) -> Portion:
        """Begin what a stream has in here; its next bytes are those from this offset on."""
        portion = self.portions[outlet] = Portion(offset)
        self.connections[outlet.connection] = None
        return portion

    def add_pipe(self, head: bytes, chunk: PipeChunk) -> None:
        """Add a record whose payload is in a pipe."""
        self.tail += head
        self._earlier_bytes += len(self.tail) + chunk.size
        self.parts += (self.tail, chunk)
        self.tail = bytearray()
        self.pipes += 1

    def limit_block(self, most_bytes: int) -> None:
        """Begin another block if this one has become so large."""
        if self.size - self._block_at >= most_bytes:
            self.parts += (self.tail, None)
            self._earlier_bytes += len(self.tail) + RECORD_BYTES
            self._block_at = self._earlier_bytes
            self.tail = bytearray()

    def close(self) -> None:
        """Let nothing more in."""
        self.parts.append(self.tail)

    def discard(self) -> None:
        """Give back what held data."""
        for part in self.parts:
            if isinstance(part, PipeChunk):
                part.discard()
        self.parts.clear()

    def forget(self) -> None:
        """Let go of the streams, all of which know the batch that they were in last.

        Else a live one would keep the other direction of its connection, that one its last batch,
        this the streams that were in it, and so on: all that there ever were.
        """
        self.portions.clear()
        self.connections.clear()
        self.closed.clear()
        self.told.clear()
