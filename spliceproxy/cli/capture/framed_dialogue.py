"""A dialogue message by message; what is no message of the protocol is told piece by piece."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from spliceproxy.capture.events import Closed, Data, Direction, End, Event, Missing
from spliceproxy.cli.capture.dialogue import ARROWS, Dialogue, Entry, byte_rows, indented
from spliceproxy.cli.capture.message_text import message_lines
from spliceproxy.framing.frame import Frame
from spliceproxy.framing.wire_protocol import Framer, WireProtocol


@dataclass(slots=True)
class _Side:
    """A direction, and the beginning of a message that is not complete."""

    framer: Framer
    is_framed: bool = True
    told: int = 0
    """So long is what has been told of the stream."""
    end: int = 0
    """So long is the stream."""
    since_ns: int = 0
    """When what is not told began to come."""
    held: bytes = b""
    """What is not told, as far as it is kept."""
    piece: Data | None = None

    def take(self, event: Data) -> list[Frame]:
        if self.told == self.end:
            self.since_ns = event.time_ns
        self.piece = event
        self.end = event.offset + len(event.data)
        return self.framer.feed(event.data)

    def first(self, count: int) -> bytes:
        """Return the first bytes that are not told, at most so many."""
        found = self.held[:count]
        piece, at = self.piece, self.told + len(found)
        if piece is not None and at >= piece.offset:  # else bytes between them were not kept
            start = at - piece.offset
            found += piece.data[start : start + count - len(found)]
        return found

    def advance(self, to: int, time_ns: int) -> None:
        """Have told the stream up to there."""
        self.held = self.held[to - self.told :]
        self.told, self.since_ns = to, time_ns

    def keep(self, count: int) -> None:
        """Keep the beginning of what is not told; the piece goes."""
        self.held, self.piece = self.first(count), None


@dataclass(slots=True)
class FramedDialogue:
    """Of one connection, in its order; `rest` tells what is left when there are no more events."""

    protocol: WireProtocol
    plain: Dialogue
    """Tells what is no message."""
    began_ns: int
    """Of the connection."""
    _sides: dict[Direction, _Side] = field(init=False)
    _last_ns: int = 0

    def __post_init__(self) -> None:
        """Make framers for both directions."""
        requests, answers = self.protocol.make()
        self._sides = {"request": _Side(requests), "response": _Side(answers)}

    def entries(self, event: Event) -> Iterator[Entry]:
        """Return what an event completes."""
        self._last_ns = event.time_ns
        if isinstance(event, Data):
            side = self._sides[event.direction]
            if side.is_framed and event.offset == side.end:
                yield from self._take(side, event)
                return
        if isinstance(event, Data | End | Missing):
            yield from self._finish(event.direction)
        elif isinstance(event, Closed):
            yield from self.rest()
        if lines := [*self.plain.lines(event)]:
            yield event.time_ns, lines

    def rest(self) -> Iterator[Entry]:
        """Return what has not been told, which nothing completes any more."""
        for direction in self._sides:
            yield from self._finish(direction)

    def _take(self, side: _Side, event: Data) -> Iterator[Entry]:
        for frame in side.take(event):
            yield from self._message(side, event.direction, frame)
        side.keep(self.plain.limit_bytes)
        if side.framer.is_over:
            yield from self._finish(event.direction)

    def _finish(self, direction: Direction) -> Iterator[Entry]:
        side = self._sides[direction]
        if not side.is_framed:
            return
        side.is_framed = False
        for frame in side.framer.end():
            if frame.is_whole:  # its end was that of the stream
                yield from self._message(side, direction, frame)
        if side.told < side.end:
            yield from self._bytes(side, direction, side.end, f"no message of {self.protocol.name}")

    def _message(self, side: _Side, direction: Direction, frame: Frame) -> Iterator[Entry]:
        if side.told < frame.offset:
            yield from self._bytes(side, direction, frame.offset, "between messages")
        data = side.first(min(frame.size, self.plain.limit_bytes))
        is_response = direction == "response"
        lines = message_lines(
            self.protocol.name, frame, data, self.plain.limit_bytes, is_response=is_response
        )
        end = frame.offset + frame.size
        if lines is None:
            yield from self._bytes(side, direction, end, frame.name)
            return
        first, *below = lines
        yield from self._entry(side, direction, first, indented(below))
        side.advance(end, self._last_ns)

    def _bytes(self, side: _Side, direction: Direction, end: int, what: str) -> Iterator[Entry]:
        size = end - side.told
        shown = side.first(min(size, self.plain.limit_bytes))
        head = f"{direction}, {size} bytes at {side.told}: {what}"
        yield from self._entry(side, direction, head, indented(byte_rows(shown, side.told, size)))
        side.advance(end, self._last_ns)

    def _entry(
        self, side: _Side, direction: Direction, head: str, below: Iterator[str]
    ) -> Iterator[Entry]:
        if self.plain.direction in (None, direction):
            if side.since_ns != self._last_ns:
                head += f" (from +{(side.since_ns - self.began_ns) / 1e9:.6f}s on)"
            yield self._last_ns, [f"{ARROWS[direction]} {head}", *below]
