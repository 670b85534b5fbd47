"""A capture: the directory that `capture:` mirrors have written, or are writing."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, groupby, islice
from operator import attrgetter
from pathlib import Path

from spliceproxy.capture.clocks import CaptureClocks
from spliceproxy.capture.connection import Connection
from spliceproxy.capture.events import ConnectionId, Event
from spliceproxy.capture.merge import Item, merged
from spliceproxy.capture.segment import Segment, event_batches, events_of, open_segment
from spliceproxy.errors import UsageProblem, quote
from spliceproxy.formats.capture.layout import HEADER_BYTES, Record, SegmentHeader
from spliceproxy.formats.capture.names import SegmentName, one_each, parse_segment_name
from spliceproxy.formats.zstd import NoZstdProblem

_FOR_OWNERS = "captures are for their owner alone: read it as that user, or as root"

_BATCH_EVENTS = 1024


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why something of a capture could not be read."""

    path: Path
    what: str


class Capture:
    """Reads a bounded amount at a time, however large the capture is.

    What cannot be read, such as a damaged end of a segment, is passed over, and noted in
    `unreadable`; so it is worth a look when an iteration is over.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Look which segments there are.

        Raises:
            UsageProblem: there is no such directory, or none that can be read, or no segment in it.
        """
        self.path = Path(path)
        self.unreadable: list[Unreadable] = []
        """Of the iterations so far; each is noted once."""
        if not self.names():
            raise UsageProblem(
                f"{quote(str(self.path))}: no capture is in there",
                "expected a directory that a mirror capture:DIR has written",
            )

    @cached_property
    def clocks(self) -> CaptureClocks:
        """Whether somebody has set the clock; times of segments are corrected by it."""
        return CaptureClocks.of(self._headers())

    def _headers(self) -> Iterator[SegmentHeader]:
        for name in self.names():
            try:
                segment = open_segment(self.path / name.text)
            except (OSError, UsageProblem):  # who reads it is told
                continue
            segment.close()
            yield segment.header

    def require_segment(self) -> None:
        """See that something can be read, before anything is made of it.

        Raises:
            UsageProblem: no segment can; says why for one of them.
        """
        for name in self.names():
            try:
                open_segment(self.path / name.text).close()
            except OSError as problem:
                what = f"{self.path / name.text}: {why_unreadable(problem)}"
                found = UsageProblem(what, "no segment of that capture can be read")
            except UsageProblem as problem:
                found = problem
            else:
                return
        raise found

    def names(self) -> list[SegmentName]:
        """Return the names of the segments that there are now, the oldest first.

        Raises:
            UsageProblem: the directory cannot be read.
        """
        return list_segments(self.path)

    def segments(self) -> Iterator[Segment]:
        """Open one segment after the other, the oldest first; each is closed by the next."""
        for name in sorted(self.names(), key=self._began_ns):
            yield from self._opened(name)

    def _began_ns(self, name: SegmentName) -> int:
        return name.began_ns + self.clocks.shift_ns(name.writer, name.number)

    def _opened(self, name: SegmentName) -> Iterator[Segment]:
        """Open a segment, if it is there still; it may have been sealed since it was listed."""
        try:
            segment = open_segment(self.path / name.text)
        except OSError as problem:
            self._note(self.path / name.text, why_unreadable(problem))
            return
        except NoZstdProblem:  # nothing that is compressed can be read: that is said once
            raise
        except UsageProblem as problem:
            what = problem.message.removeprefix(f"{self.path / name.text}: ")
            self._note(self.path / name.text, f"{what}; {problem.remedy}")
            return
        segment.header = self.clocks.corrected(segment.header)
        try:
            yield segment
            damage = segment.damage
            if damage is not None and not (damage.is_cut and segment.is_being_written):
                self._note(segment.path, f"{damage.what}, at {damage.at}")
        finally:
            segment.close()

    def _note(self, path: Path, what: str) -> None:
        problem = Unreadable(path, what)
        if problem not in self.unreadable:
            self.unreadable.append(problem)

    def events(self) -> Iterator[Event]:
        """Read what happened on all connections, in the order of time."""
        return chain.from_iterable(self.batches())

    def batches(self) -> Iterator[list[Event]]:
        """Read the same in lists, as it comes from the disk: the way for millions of events."""
        return merged(self._by_writer(event_batches), attrgetter("time_ns"))

    def _by_writer(
        self, read: Callable[[Segment], Iterator[list[Item]]]
    ) -> Iterator[tuple[int, Iterator[list[Item]]]]:
        """Return what each writer tells, and when its first segment was begun.

        As none is read before, no more segments are open at a time than there were writers.
        """
        by_writer = sorted(self.names(), key=attrgetter("writer", "number"))
        for _, group in groupby(by_writer, key=attrgetter("writer")):
            names = list(group)
            yield self._began_ns(names[0]), self._read_each(names, read)

    def _read_each(
        self, names: list[SegmentName], read: Callable[[Segment], Iterator[list[Item]]]
    ) -> Iterator[list[Item]]:
        for name in names:
            for segment in self._opened(name):
                yield from read(segment)

    def connections(self) -> Iterator[Connection]:
        """Read all connections, each when it has ended; then those that have not."""
        live: dict[ConnectionId, Connection] = {}
        told = merged(self._by_writer(_told_batches), lambda told: told[0].time_ns)
        for event, record, path in chain.from_iterable(told):
            connection = live.get(event.connection)
            if connection is None:
                connection = Connection(event.connection, self.clocks, began_ns=event.time_ns)
                live[event.connection] = connection
            connection.take(event, record, path)
            if connection.closed is not None:
                yield live.pop(event.connection)
        yield from live.values()

    def connection(self, wanted: ConnectionId) -> Connection | None:
        """Find one connection; None: the capture has nothing of it.

        It looks into the segments of the connection's writer alone, by their indexes.
        """
        names = [name for name in self.names() if name.writer == wanted.writer]
        connection: Connection | None = None
        for name in sorted(names, key=attrgetter("number")):
            for segment in self._opened(name):
                for event, record in _events_about(wanted, segment):
                    if connection is None:
                        connection = Connection(wanted, self.clocks, began_ns=event.time_ns)
                    connection.take(event, record, segment.path)
            if connection is not None and connection.closed is not None:
                break
        return connection


def _told_batches(segment: Segment) -> Iterator[list[tuple[Event, Record, Path]]]:
    """Read events, and the records that tell them in which segment."""
    path, found = segment.path, events_of(segment)
    while batch := [(event, record, path) for event, record in islice(found, _BATCH_EVENTS)]:
        yield batch


def _events_about(wanted: ConnectionId, segment: Segment) -> Iterator[tuple[Event, Record]]:
    at, end = HEADER_BYTES, None
    index = segment.index()
    if index is not None:
        entry = next((entry for entry in index if entry.connection == wanted.number), None)
        if entry is None:
            return
        at, end = entry.first_block, entry.end
    for event, record in events_of(segment, at, end):
        if event.connection == wanted:
            yield event, record


def why_unreadable(problem: OSError) -> str:
    """Tell why a segment cannot be read, and what to do where something can be done."""
    if isinstance(problem, FileNotFoundError):
        return "it has been removed meanwhile"
    what = problem.strerror or "it cannot be read"
    return f"{what}; {_FOR_OWNERS}" if isinstance(problem, PermissionError) else what


def list_segments(path: Path) -> list[SegmentName]:
    """Return the names of the segments in a directory, the oldest first.

    Raises:
        UsageProblem: the directory cannot be read.
    """
    texts: set[str] = set()
    try:
        for _ in range(2):  # one that gets another name meanwhile may be missed, but not twice
            with os.scandir(path) as entries:
                texts.update(entry.name for entry in entries)
    except PermissionError as problem:
        raise UsageProblem(f"{quote(str(path))}: {problem.strerror}", _FOR_OWNERS) from None
    except OSError as problem:
        raise UsageProblem(
            f"{quote(str(path))}: {problem.strerror}",
            "expected a directory that a mirror capture:DIR has written",
        ) from None
    return one_each(filter(None, map(parse_segment_name, texts)))


def open(path: str | os.PathLike[str]) -> Capture:  # noqa: A001 - as in gzip.open
    """Open the capture in a directory.

    Raises:
        UsageProblem: there is none; the message says what is expected.
    """
    return Capture(path)
