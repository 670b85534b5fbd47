"""A captured connection as a whole: who, when, how much, and where in the segments it is."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from spliceproxy.capture.clocks import CaptureClocks
from spliceproxy.capture.events import Closed, ConnectionId, Data, End, Event, Missing, Opened
from spliceproxy.capture.segment import events_of, open_segment
from spliceproxy.formats.capture.layout import Record

_IN_ORDER = "closed"


def _is_late(facts: Mapping[str, object]) -> bool:
    """Whether a mirror was attached when some of the traffic had passed."""
    begins_at = facts.get("begins_at")
    return isinstance(begins_at, dict) and any(begins_at.values())


@dataclass(slots=True)
class Connection:
    """What is known when its last record has been read; it goes on if `closed` is None."""

    id: ConnectionId
    clocks: CaptureClocks = field(default_factory=CaptureClocks, repr=False)
    """Of its capture."""
    facts: dict[str, object] = field(default_factory=dict)
    """Who talks to whom: `route`, `client`, `backend`, `listener`, …; empty if that is missing."""
    began_ns: int = 0
    """Of its first record, since 1970."""
    last_ns: int = 0
    """Of its last record."""
    request_bytes: int = 0
    """That the capture has."""
    response_bytes: int = 0
    missing_bytes: int = 0
    """Of gaps whose length is known."""
    gaps: int = 0
    begins_mid_stream: bool = False
    """What came before was not captured."""
    ends: dict[str, str] = field(default_factory=dict)
    """By direction: ``end`` or ``reset``."""
    closed: dict[str, object] | None = None
    """Its line of the access log."""
    parts: list[tuple[Path, int, int]] = field(default_factory=list)
    """Its segments in order: from which block on, and where its last record stands."""
    _next: dict[str, int] = field(default_factory=dict, repr=False)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing, from its first byte to its last, and to its ends."""
        if self.closed is None or self.gaps or self.begins_mid_stream:
            return False
        # A connection that was broken off may have no ends: the proxy did not see any.
        was_broken_off = self.reason != _IN_ORDER or "reset" in self.ends.values()
        return was_broken_off or self._next.keys() <= self.ends.keys()

    @property
    def reason(self) -> str:
        """Why it has ended; empty if that is not known."""
        return "" if self.closed is None else str(self.closed.get("reason", ""))

    @property
    def mirror(self) -> str:
        """Which mirror's peer answers here; empty: it is no mirror's."""
        return str(self.facts.get("mirror", ""))

    def take(self, event: Event, record: Record, path: Path) -> None:
        """Take one more event into account, and where it was found."""
        self.note(event)
        if self.parts and self.parts[-1][0] == path:
            self.parts[-1] = path, self.parts[-1][1], record.at
        else:
            self.parts.append((path, record.block, record.at))

    def note(self, event: Event) -> None:
        """Take one more event into account."""
        self.last_ns = max(self.last_ns, event.time_ns)
        match event:
            case Opened():
                if not self.facts:
                    self.facts = event.facts
                    self.begins_mid_stream |= event.is_continued or _is_late(event.facts)
            case Data():
                self._note_place(event, len(event.data))
                if event.direction == "request":
                    self.request_bytes += len(event.data)
                else:
                    self.response_bytes += len(event.data)
            case End():
                self._note_place(event, 0)
                self.ends[event.direction] = "reset" if event.is_reset else "end"
            case Missing():
                self.gaps += 1
                self.missing_bytes += event.length or 0
                self._next[event.direction] = event.offset + (event.length or 0)
            case Closed():
                self.closed = event.facts

    def _note_place(self, event: Data | End, length: int) -> None:
        expected = self._next.get(event.direction)
        if expected is None and event.offset:
            self.begins_mid_stream = True
        elif expected is not None and event.offset > expected:  # a segment has gone
            self.gaps += 1
            self.missing_bytes += event.offset - expected
        self._next[event.direction] = event.offset + length

    def events(self) -> Iterator[Event]:
        """Read it again, event by event, in order.

        Raises:
            OSError, UsageProblem: as `open_segment`; a segment may have gone meanwhile.
        """
        for path, block, last in self.parts:
            segment = open_segment(path)
            segment.header = self.clocks.corrected(segment.header)
            try:
                for event, record in events_of(segment, block):
                    if event.connection == self.id:
                        yield event
                    if record.at >= last:
                        break
            finally:
                segment.close()
