"""What waits to be written to a capture segment, in the order in which it came."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from spliceproxy.formats.capture.layout import RECORD_BYTES
from spliceproxy.tap.chunk import PipeChunk

if TYPE_CHECKING:
    from spliceproxy.sinks.capture_index import CapturedConnection
    from spliceproxy.sinks.capture_outlet import CaptureOutlet

Told = Callable[[OSError | None], None]


class Portion:
    """What one stream has in a batch."""

    __slots__ = ("count", "gaps_from", "overhead_bytes", "ranges")

    def __init__(self) -> None:
        self.count = 0
        """Bytes of the stream."""
        self.ranges: list[tuple[int, int]] = []
        """Their offsets and lengths; neighbours are one."""
        self.overhead_bytes = 0
        """Of headers, which take memory, too."""
        self.gaps_from: int | None = None
        """Offset of the first gap that it tells of: if this is lost, it has to be told again."""

    def note_gap(self, offset: int) -> None:
        """There is a gap from here on."""
        if self.gaps_from is None:
            self.gaps_from = offset

    def note(self, offset: int, count: int, overhead_bytes: int) -> None:
        """Count bytes of the stream."""
        self.count += count
        self.overhead_bytes += overhead_bytes
        if self.ranges:
            begin, length = self.ranges[-1]
            if begin + length == offset:
                self.ranges[-1] = begin, length + count
                return
        self.ranges.append((offset, count))


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
    def size(self) -> int:
        """How many bytes of a segment it will take, without the last block's checksum."""
        return self._earlier_bytes + len(self.tail)

    def portion(self, outlet: "CaptureOutlet") -> Portion:
        """Return what a stream has in here, for more to be added."""
        found = self.portions.get(outlet)
        if found is None:
            found = self.portions[outlet] = Portion()
            outlet.outstanding += 1
            self.connections[outlet.connection] = None
        return found

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
