"""A capture while it is written: what comes is read as it comes."""

import os
import time
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path

from spliceproxy.capture.clocks import ClockJump, jump_between
from spliceproxy.capture.events import Closed, ConnectionId, Event, Opened, event_of
from spliceproxy.capture.reader import Unreadable, list_segments, why_unreadable
from spliceproxy.capture.segment import CUT_OFF, Segment, open_segment
from spliceproxy.errors import UsageProblem
from spliceproxy.formats.capture.decode import RecordDecoder
from spliceproxy.formats.capture.layout import HEADER_BYTES, Record, RecordKind, SegmentHeader
from spliceproxy.formats.capture.names import OPEN_SUFFIX, SegmentName
from spliceproxy.kernel.file_lock import is_locked

_READ_BYTES = 1 << 20
_SETTLED_NS = 2 * 10**9
"""A directory's time of change may be as coarse as that (FAT)."""


class _Tail:
    """A segment that grows, read up to its last whole block."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.problem = ""
        """Why it could not be read to its end."""
        self.is_over = False
        self.is_at_end = False
        """For now, if it is not over."""
        self._decoder = RecordDecoder()
        self._at = HEADER_BYTES

    def read(self) -> list[Event]:
        """Return what has come, at most a bounded part of it."""
        try:
            return self._read()
        except OSError as problem:
            self.problem, self.is_over = f"it cannot be read: {problem.strerror}", True
            return []

    def _read(self) -> list[Event]:
        data = self.segment.read(_READ_BYTES, self._at)
        if not data and not is_locked(self.segment.fileno()):
            # Nobody writes it any more; what came before the lock was let go is there by now.
            data = self.segment.read(_READ_BYTES, self._at)
            if not data:
                self.is_over = True
                self.problem = f"{CUT_OFF}, at {self._at}" if self.segment.is_cut else ""
                return self._events(self._decoder.end())
        self.is_at_end = not data
        self._at += len(data)
        return self._events(self._decoder.feed(data))

    def _events(self, records: list[Record]) -> list[Event]:
        found: list[Event] = []
        damage = self._decoder.damage
        for record in records:
            if record.kind in (RecordKind.INDEX, RecordKind.TRAILER):
                self.is_over = True
                return found
            try:
                event = event_of(self.segment.header, record)
            except ValueError as problem:
                self.problem = f"{problem}, at {record.at}"
                break
            if event is not None:
                found.append(event)
        if damage is not None and not self.problem:
            self.problem = f"{damage.what}, at {damage.at}"
        self.is_over = self.is_over or bool(self.problem)
        return found


class Follower:
    """Follows all writers of a directory, from now on; also those that come later.

    Each writer is read segment by segment. It holds a descriptor, and what has come since the last
    whole block, for each writer that is alive.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        """Find out what is there already, which is passed over.

        Raises:
            UsageProblem: there is no such directory, or none that can be read.
        """
        self._directory = Path(directory)
        self.unreadable: list[Unreadable] = []
        """Since the last time that somebody has emptied it."""
        self.jumps: list[ClockJump] = []
        """Of the clock; since the last time that somebody has emptied it."""
        self._headers: dict[int, SegmentHeader] = {}  # of the last segment of each writer
        self._tails: dict[int, _Tail] = {}  # by writer
        self._waiting: dict[int, list[SegmentName]] = {}  # its segments that come next
        self._last: dict[int, int] = {}  # the number of its last segment that is known
        self._listed_ns: int | None = None  # the directory's time of change then, if it is certain
        self._opened: dict[ConnectionId, Opened] = {}  # before now, and not heard of since
        self._list()
        self._pass_over()

    def close(self) -> None:
        """Close all segments."""
        for tail in self._tails.values():
            tail.segment.close()
        self._tails.clear()

    def poll(self) -> list[Event]:
        """Return what has come since, at most a bounded part of it, by time.

        Raises:
            UsageProblem: the directory cannot be read any more.
        """
        self._list()
        found: list[Event] = []
        for writer in list(self._waiting | self._tails):
            found += self._read(writer)
        found.sort(key=attrgetter("time_ns"))
        return [told for event in found for told in self._introduced(event)]

    @property
    def is_behind(self) -> bool:
        """Whether there is more to read already."""
        is_next_due = any(
            names and writer not in self._tails for writer, names in self._waiting.items()
        )
        return is_next_due or not all(tail.is_at_end for tail in self._tails.values())

    def _introduced(self, event: Event) -> Iterator[Event]:
        opened = self._opened.pop(event.connection, None)
        if opened is not None and not isinstance(event, Opened):
            yield Opened(event.connection, event.time_ns, is_continued=True, facts=opened.facts)
        yield event

    def _read(self, writer: int) -> list[Event]:
        tail = self._tails.get(writer) or self._open_next(writer)
        if tail is None:
            return []
        events = tail.read()
        if tail.problem:
            self.unreadable.append(Unreadable(tail.segment.path, tail.problem))
        if tail.is_over:
            tail.segment.close()
            del self._tails[writer]
        return events

    def _open_next(self, writer: int) -> _Tail | None:
        waiting = self._waiting.get(writer, [])
        while waiting:
            name = waiting.pop(0)
            try:
                tail = self._tails[writer] = _Tail(open_segment(self._directory / name.text))
            except (OSError, UsageProblem) as problem:
                what = why_unreadable(problem) if isinstance(problem, OSError) else str(problem)
                self.unreadable.append(Unreadable(self._directory / name.text, what))
            else:
                self._look_at_clock(tail.segment.header)
                return tail
        self._waiting.pop(writer, None)
        return None

    def _look_at_clock(self, header: SegmentHeader) -> None:
        before, self._headers[header.writer] = self._headers.get(header.writer), header
        jump = None if before is None else jump_between(before, header)
        if jump is not None:
            self.jumps.append(jump)

    def _list(self) -> None:
        """Look for segments that are new, if the directory has changed, or may have."""
        try:
            changed_ns = self._directory.stat().st_mtime_ns
        except OSError:
            changed_ns = time.time_ns()  # the listing tells why
        if changed_ns == self._listed_ns:
            return
        names = list_segments(self._directory)
        is_settled = changed_ns < time.time_ns() - _SETTLED_NS
        self._listed_ns = changed_ns if is_settled else None
        for name in sorted(names, key=attrgetter("writer", "number")):
            if name.number > self._last.get(name.writer, -1):
                self._last[name.writer] = name.number
                self._waiting.setdefault(name.writer, []).append(name)
        known = {name.writer for name in names}
        self._last = {writer: last for writer, last in self._last.items() if writer in known}
        self._headers = {writer: each for writer, each in self._headers.items() if writer in known}

    def _pass_over(self) -> None:
        """Read what is there of segments that are being written, for who is talking."""
        for writer in list(self._waiting):
            while tail := self._open_next(writer):
                if tail.segment.is_being_written:
                    self._remember(tail)
                    break
                tail.segment.close()
                del self._tails[writer]
        # Of what is over nothing was asked; of what is being written nothing would be heard.
        self.unreadable = [each for each in self.unreadable if each.path.name.endswith(OPEN_SUFFIX)]
        self.jumps.clear()

    def _remember(self, tail: _Tail) -> None:
        while not (tail.is_at_end or tail.is_over):
            for event in tail.read():
                if isinstance(event, Opened):
                    self._opened[event.connection] = event
                elif isinstance(event, Closed):
                    self._opened.pop(event.connection, None)
