"""One segment of a capture, read from its file."""

import os
from collections.abc import Iterator
from pathlib import Path

from spliceproxy.capture.events import Event, event_of
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
)
from spliceproxy.formats.capture.names import OPEN_SUFFIX
from spliceproxy.formats.need_more import NeedMore
from spliceproxy.kernel.file_lock import is_locked

_READ_BYTES = 256 << 10  # about a block: what a reader holds in objects is some times as much
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
        """
        self.path = path
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        self.damage: Damage | None = None
        self.is_being_written = self.is_open and is_locked(self._fd)
        """By a process that is alive, when it was opened; so it may end in the middle."""
        try:
            header = decode_header(os.pread(self._fd, HEADER_BYTES, 0))
        except NotACaptureError as problem:
            self.close()
            raise UsageProblem(f"{path}: {problem}", "expected a segment of a capture") from None
        except OSError:
            self.close()
            raise
        if isinstance(header, NeedMore):
            self.close()
            raise UsageProblem(
                f"{path}: a capture that was cut off in its first bytes", "remove it"
            )
        self.header = header

    def records(self, at: int = HEADER_BYTES, end: int | None = None) -> Iterator[Record]:
        """Read the records from a block's beginning on, as far as they are whole."""
        for batch in self.batches(at, end):
            yield from batch

    def batches(self, at: int = HEADER_BYTES, end: int | None = None) -> Iterator[list[Record]]:
        """Read them in lists, as they come from the disk."""
        decoder = RecordDecoder(at)
        while end is None or at < end:
            size = _READ_BYTES if end is None else min(_READ_BYTES, end - at)
            try:
                data = os.pread(self._fd, size, at)
            except OSError as problem:
                self.damage = Damage(at, f"it cannot be read: {problem.strerror}")
                return
            if not data:
                break
            at += len(data)
            yield decoder.feed(data)
            if decoder.damage is not None:
                break
        yield decoder.end()
        self.damage = decoder.damage

    @property
    def is_open(self) -> bool:
        """Whether it had not been sealed when it was opened."""
        return self.path.name.endswith(OPEN_SUFFIX)

    @property
    def size(self) -> int:
        """Of the file, in bytes."""
        return os.fstat(self._fd).st_size

    def index(self) -> list[IndexEntry] | None:
        """Return the index; None: the segment is not sealed, or its end cannot be read."""
        try:
            return self._read_index(self.size)
        except (OSError, ValueError):
            return None

    def _read_index(self, size: int) -> list[IndexEntry] | None:
        if size < HEADER_BYTES + 2 * RECORD_BYTES:
            return None
        at = decode_trailer(os.pread(self._fd, RECORD_BYTES, size - RECORD_BYTES))
        if at is None or not HEADER_BYTES <= at < size <= at + _MOST_INDEX_BYTES:
            return None
        decoder = RecordDecoder(at)
        found = decoder.feed(os.pread(self._fd, size - at, at))
        if not found or found[0].kind != RecordKind.INDEX:
            return None
        return list(decode_entries(found[0].payload))

    def fileno(self) -> int:
        """Return the file's descriptor."""
        return self._fd

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def open_segment(path: Path) -> Segment:
    """Open a segment that has been sealed, maybe, since its name was read.

    Raises:
        OSError, UsageProblem: as `Segment`.
    """
    try:
        return Segment(path)
    except FileNotFoundError:
        if not path.name.endswith(OPEN_SUFFIX):
            raise
        return Segment(path.with_name(path.name.removesuffix(OPEN_SUFFIX)))


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
