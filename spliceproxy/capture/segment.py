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
from spliceproxy.formats.capture.layout import HEADER_BYTES, RECORD_BYTES, Record, RecordKind
from spliceproxy.formats.need_more import NeedMore

_READ_BYTES = 1 << 20


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
        try:
            header = decode_header(os.pread(self._fd, HEADER_BYTES, 0))
        except NotACaptureError as problem:
            self.close()
            raise UsageProblem(f"{path}: {problem}", "expected a segment of a capture") from None
        if isinstance(header, NeedMore):
            self.close()
            raise UsageProblem(
                f"{path}: a capture that was cut off in its first bytes", "remove it"
            )
        self.header = header

    def records(self, place: int = HEADER_BYTES, end: int | None = None) -> Iterator[Record]:
        """Read the records from a block's beginning on, as far as they are whole."""
        decoder = RecordDecoder(place)
        while end is None or place < end:
            size = _READ_BYTES if end is None else min(_READ_BYTES, end - place)
            data = os.pread(self._fd, size, place)
            if not data:
                break
            place += len(data)
            yield from decoder.feed(data)
            if decoder.damage is not None:
                break
        yield from decoder.end()
        self.damage = decoder.damage

    def index(self) -> list[IndexEntry] | None:
        """Return the index; None: the segment is not sealed, or its end is damaged."""
        size = os.fstat(self._fd).st_size
        if size < HEADER_BYTES + 2 * RECORD_BYTES:
            return None
        place = decode_trailer(os.pread(self._fd, RECORD_BYTES, size - RECORD_BYTES))
        if place is None or not HEADER_BYTES <= place < size:
            return None
        decoder = RecordDecoder(place)
        found = decoder.feed(os.pread(self._fd, size - place, place))
        if not found or found[0].kind != RecordKind.INDEX:
            return None
        try:
            return list(decode_entries(found[0].payload))
        except ValueError:
            return None

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def events_of(segment: Segment, place: int = HEADER_BYTES) -> Iterator[tuple[Event, Record]]:
    """Read events, and the records that tell them; one that cannot be read is damage, too."""
    for record in segment.records(place):
        try:
            event = event_of(segment.header, record)
        except ValueError as problem:
            segment.damage = Damage(record.place, str(problem))
            return
        if event is not None:
            yield event, record
