"""A compressed segment: zstd frames, each of a bounded length, and a table of where they are.

It is zstd's seekable format (contrib/seekable_format in its sources): the table is a skippable
frame at the end, so `zstd -d` gives the segment as it was, and offsets are those of the segment.
"""

import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from spliceproxy.formats.capture.layout import HEADER_BYTES

FRAME_BYTES = 1 << 20
"""So much of the segment has a frame at most, which is what a reader holds of it."""
MOST_STORED_BYTES = FRAME_BYTES + (FRAME_BYTES >> 7)
"""What does not compress becomes a little longer: by less than a 256th (ZSTD_COMPRESSBOUND)."""
MOST_FRAMES = 1 << 20
"""Of a segment, which may have 1 TiB then; the table takes 8 MiB."""

_ENTRY = struct.Struct("<II")
_SKIPPABLE = struct.Struct("<II")
_SKIPPABLE_MAGIC, _TABLE_MAGIC = 0x184D2A5E, 0x8F92EAB1
_FOOTER = struct.Struct("<IBI")
FOOTER_BYTES = _FOOTER.size
_HAS_CHECKSUMS = 0x80
_RESERVED_BITS = 0x7C
_OVERHEAD_BYTES = _SKIPPABLE.size + FOOTER_BYTES


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """Where a frame is in the file, and what of the segment it has."""

    stored_at: int
    stored_bytes: int
    content_at: int
    content_bytes: int


class FrameTable:
    """The frames of a segment in their order."""

    def __init__(self) -> None:
        self._stored = array("Q", [0])
        self._content = array("Q", [0])

    def add(self, stored_bytes: int, content_bytes: int) -> None:
        """Add a frame.

        Raises:
            ValueError: it is longer than any, or there are too many.
        """
        if not 0 < stored_bytes <= MOST_STORED_BYTES:
            raise ValueError(f"a frame of {stored_bytes} bytes")
        if not 0 < content_bytes <= FRAME_BYTES:
            raise ValueError(f"a frame of {content_bytes} bytes of content")
        if len(self) == MOST_FRAMES:
            raise ValueError(f"more than {MOST_FRAMES} frames")
        self._stored.append(self.stored_bytes + stored_bytes)
        self._content.append(self.content_bytes + content_bytes)

    def __len__(self) -> int:
        return len(self._stored) - 1

    @property
    def stored_bytes(self) -> int:
        """Of all frames, without the table."""
        return self._stored[-1]

    @property
    def content_bytes(self) -> int:
        """Of the segment."""
        return self._content[-1]

    def find(self, at: int) -> StoredFrame | None:
        """Return the frame that has a byte of the segment; None: it has not so many."""
        if at >= self.content_bytes:
            return None
        number = bisect_right(self._content, at) - 1
        stored_at, stored_end = self._stored[number : number + 2]
        content_at, content_end = self._content[number : number + 2]
        return StoredFrame(stored_at, stored_end - stored_at, content_at, content_end - content_at)


def frame_lengths(size: int, index_at: int | None) -> Iterator[int]:
    """Return how long the frames of a segment of that size are to be.

    The header has one of its own, and the index begins one, so that both are there at once.
    """
    ends = [HEADER_BYTES, size] if index_at is None else [HEADER_BYTES, index_at, size]
    at = 0
    for end in ends:
        while at < min(end, size):
            length = min(FRAME_BYTES, min(end, size) - at)
            yield length
            at += length


def encode_table(frames: Iterable[tuple[int, int]]) -> bytes:
    """Return what follows the frames; of each the stored length, and that of its content."""
    entries = b"".join(_ENTRY.pack(*frame) for frame in frames)
    footer = _FOOTER.pack(len(entries) // _ENTRY.size, 0, _TABLE_MAGIC)
    return _SKIPPABLE.pack(_SKIPPABLE_MAGIC, len(entries) + FOOTER_BYTES) + entries + footer


def table_bytes(footer: bytes) -> int:
    """Return how long the table is that ends so.

    Raises:
        ValueError: no table does.
    """
    if len(footer) != FOOTER_BYTES:
        raise ValueError("no table of frames")
    frames, flags, magic = _FOOTER.unpack(footer)
    if magic != _TABLE_MAGIC or flags & _RESERVED_BITS or frames > MOST_FRAMES:
        raise ValueError("no table of frames")
    return int(frames) * _entry_bytes(flags) + _OVERHEAD_BYTES


def decode_table(data: bytes, stored_bytes: int) -> FrameTable:
    """Read a table, which stands behind so many bytes of frames.

    Raises:
        ValueError: it is none, or one of other frames.
    """
    if len(data) < _OVERHEAD_BYTES or table_bytes(data[-FOOTER_BYTES:]) != len(data):
        raise ValueError("no table of frames")
    magic, length = _SKIPPABLE.unpack_from(data)
    if magic != _SKIPPABLE_MAGIC or length != len(data) - _SKIPPABLE.size:
        raise ValueError("no table of frames")
    table = FrameTable()
    step = _entry_bytes(data[-5])
    for at in range(_SKIPPABLE.size, len(data) - FOOTER_BYTES, step):
        table.add(*_ENTRY.unpack_from(data, at))
    if table.stored_bytes != stored_bytes:
        raise ValueError("a table of other frames")
    return table


def _entry_bytes(flags: int) -> int:
    return _ENTRY.size + 4 * bool(flags & _HAS_CHECKSUMS)
