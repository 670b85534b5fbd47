"""One segment of a capture, read from its file."""

import os
from collections.abc import Iterator
from pathlib import Path

from spliceproxy.capture.events import Event, event_of
from spliceproxy.capture.segment_bytes import CompressedBytes, PlainBytes, SegmentBytes
from spliceproxy.errors import UsageProblem
from spliceproxy.formats.capture.decode import (
    Damage,
    NotACaptureError,
    RecordDecoder,
    decode_header,
    decode_trailer,
)
from spliceproxy.formats.capture.index import IndexEntry, decode_entries
from spliceproxy.formats.capture.layout import (
    HEADER_BYTES,
    MOST_PAYLOAD_BYTES,
    RECORD_BYTES,
    Record,
    RecordKind,
    SegmentHeader,
)
from spliceproxy.formats.capture.names import COMPRESSED_SUFFIX, OPEN_SUFFIX, later_names
from spliceproxy.formats.need_more import NeedMore
from spliceproxy.kernel.file_lock import is_locked

_READ_BYTES = 256 << 10  # about a block: what a reader holds in objects is some times as much
CUT_OFF = "what is compressed was cut off, or is damaged"
_MOST_INDEX_BYTES = MOST_PAYLOAD_BYTES + 2 * RECORD_BYTES  # with its header, and the trailer


class Segment:
    """A file that nobody vouches for; it may still grow.

    `damage` tells, after records have been read to their end, why they ended before the file did.
    """

    def __init__(self, path: Path) -> None:
        """Open it, and read its beginning.

        Raises:
            OSError: it cannot be opened or read.
            UsageProblem: it is no segment, or one of another version.
            NoZstdProblem: it is compressed, and there is no library for that.
        """
        self.path = path
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        self.damage: Damage | None = None
        try:
            self.is_being_written = self.is_open and is_locked(fd)
            """By a process that is alive, when it was opened; so it may end in the middle."""
            is_compressed = path.name.endswith(COMPRESSED_SUFFIX)
            self._bytes: SegmentBytes = (
                CompressedBytes(fd, path) if is_compressed else PlainBytes(fd)
            )
            self.header = _decode_header(path, self.read(HEADER_BYTES, 0))
        except BaseException:
            os.close(fd)
            raise

    def read(self, size: int, at: int) -> bytes:
        """Read bytes of the segment, at most so many; none at its end for now.

        Raises:
            OSError: they cannot be read.
        """
        return self._bytes.read(size, at)

    def records(self, at: int = HEADER_BYTES, end: int | None = None) -> Iterator[Record]:
        """Read the records from a block's beginning on, as far as they are whole."""
        for batch in self.batches(at, end):
            yield from batch

    def batches(self, at: int = HEADER_BYTES, end: int | None = None) -> Iterator[list[Record]]:
        """Read them in lists, as they come from the disk."""
        decoder = RecordDecoder(at)
        damage: Damage | None = None
        while end is None or at < end:
            size = _READ_BYTES if end is None else min(_READ_BYTES, end - at)
            try:
                data = self.read(size, at)
            except OSError as problem:
                damage = Damage(at, f"it cannot be read: {problem.strerror}")
                break
            if not data:
                if self.is_cut:
                    damage = Damage(at, CUT_OFF)
                break
            at += len(data)
            yield decoder.feed(data)
            if decoder.damage is not None:
                break
        yield decoder.end()
        self.damage = damage or decoder.damage

    @property
    def is_open(self) -> bool:
        """Whether it had not been sealed when it was opened."""
        return self.path.name.endswith(OPEN_SUFFIX)

    @property
    def size(self) -> int:
        """Of the file, in bytes."""
        return self._bytes.stored_bytes

    @property
    def length(self) -> int:
        """In bytes, without any compression."""
        return self._bytes.length

    @property
    def is_cut(self) -> bool:
        """Whether it is compressed, and the end of that is not there."""
        return self._bytes.is_cut

    def index(self) -> list[IndexEntry] | None:
        """Return the index; None: the segment is not sealed, or its end cannot be read."""
        try:
            return self._read_index(self.length)
        except (OSError, ValueError):
            return None

    def _read_index(self, size: int) -> list[IndexEntry] | None:
        if size < HEADER_BYTES + 2 * RECORD_BYTES:
            return None
        at = decode_trailer(self.read(RECORD_BYTES, size - RECORD_BYTES))
        if at is None or not HEADER_BYTES <= at < size <= at + _MOST_INDEX_BYTES:
            return None
        decoder = RecordDecoder(at)
        found = decoder.feed(self.read(size - at, at))
        if not found or found[0].kind != RecordKind.INDEX:
            return None
        return list(decode_entries(found[0].payload))

    def fileno(self) -> int:
        """Return the file's descriptor."""
        return self._bytes.fileno()

    def close(self) -> None:
        """Close the file."""
        self._bytes.close()


def _decode_header(path: Path, data: bytes) -> SegmentHeader:
    try:
        header = decode_header(data)
    except NotACaptureError as problem:
        raise UsageProblem(f"{path}: {problem}", "expected a segment of a capture") from None
    if isinstance(header, NeedMore):
        raise UsageProblem(f"{path}: a capture that was cut off in its first bytes", "remove it")
    return header


def open_segment(path: Path) -> Segment:
    """Open a segment that has been sealed or compressed, maybe, since its name was read.

    Raises:
        OSError, UsageProblem: as `Segment`.
    """
    for name in (path.name, *later_names(path.name)):
        try:
            return Segment(path.with_name(name))
        except FileNotFoundError as problem:
            missing = problem
    raise missing


def events_of(
    segment: Segment, at: int = HEADER_BYTES, end: int | None = None
) -> Iterator[tuple[Event, Record]]:
    """Read events, and the records that tell them; one that cannot be read is damage, too."""
    for record in segment.records(at, end):
        try:
            event = event_of(segment.header, record)
        except ValueError as problem:
            segment.damage = Damage(record.at, str(problem))
            return
        if event is not None:
            yield event, record


def event_batches(segment: Segment) -> Iterator[list[Event]]:
    """Read events alone, in lists as they come from the disk: the way for millions of them."""
    header = segment.header
    for records in segment.batches():
        found: list[Event] = []
        for record in records:
            try:
                event = event_of(header, record)
            except ValueError as problem:
                segment.damage = Damage(record.at, str(problem))
                yield found
                return
            if event is not None:
                found.append(event)
        yield found
