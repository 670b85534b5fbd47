"""Values of recorded answers, and where they stand in later requests."""

from collections.abc import Iterator
from typing import NamedTuple

from spliceproxy.capture import ConnectionId, Data, Event
from spliceproxy.replay.content_length import missing_body_bytes
from spliceproxy.replay.value_patterns import ValueScanner

LEAST_VALUE_BYTES = 3
"""Shorter ones would be found where they mean something else, as in lengths and counts."""


_MOST_JOINED_BYTES = 16 << 10
"""Of a request with its body that becomes one piece; each live connection may hold so many."""


class ValueKey(NamedTuple):
    """Which value of a recorded answer: the target's answer has its counterpart there, too."""

    connection: ConnectionId
    pattern: int
    match: int
    """Of this pattern on this connection, from 0 on."""


class ValueSpot(NamedTuple):
    """Where a value stands in the bytes of a request."""

    start: int
    end: int
    key: ValueKey


class RecordedValues:
    """The last ones that answers had: of one connection, or of all."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._keys: dict[bytes, ValueKey] = {}  # the latest one comes last

    def add(self, value: bytes, key: ValueKey) -> None:
        """Note a value of an answer; the oldest goes where they are too many."""
        if len(value) < LEAST_VALUE_BYTES:
            return
        self._keys.pop(value, None)
        self._keys[value] = key
        if len(self._keys) > self._most:
            del self._keys[next(iter(self._keys))]

    def spots(self, data: bytes) -> tuple[ValueSpot, ...]:
        """Return where values stand, in order; where they overlap, the first and longest counts."""
        found = [
            ValueSpot(start, start + len(value), key)
            for value, key in self._keys.items()
            for start in _places(value, data)
        ]
        found.sort(key=lambda spot: (spot.start, -spot.end))
        spots: list[ValueSpot] = []
        for spot in found:
            if not spots or spot.start >= spots[-1].end:
                spots.append(spot)
        return tuple(spots)

    def whole_bytes(self, data: bytes) -> int:
        """Return how far bytes go before what may be the beginning of a value at their end."""
        whole = min((_beginning(value, data) for value in self._keys), default=len(data))
        if whole < len(data):
            for spot in self.spots(data):
                if spot.start < whole < spot.end:  # one ends as another begins
                    return spot.start
        return whole


def _places(value: bytes, data: bytes) -> Iterator[int]:
    start = data.find(value)
    while start >= 0:
        if not (_is_within_word(data, start) or _is_within_word(data, start + len(value))):
            yield start
        start = data.find(value, start + 1)


def _is_within_word(data: bytes, at: int) -> bool:
    """A value is no part of a longer word or number."""
    pair = data[max(0, at - 1) : at + 1]
    return len(pair) == 2 and pair.isalnum()


def _beginning(value: bytes, data: bytes) -> int:
    """Return where bytes end in the beginning of a value; their end if they don't."""
    at = data.find(value[:LEAST_VALUE_BYTES], max(0, len(data) - len(value) + 1))
    while at >= 0:
        if value.startswith(data[at:]) and not _is_within_word(data, at):
            return at
        at = data.find(value[:LEAST_VALUE_BYTES], at + 1)
    for length in range(LEAST_VALUE_BYTES - 1, 0, -1):
        at = len(data) - length
        if data.endswith(value[:length]) and not _is_within_word(data, at):
            return at
    return len(data)


class RequestValues:
    """Of one recorded connection: takes its events in order, and knows what its answers had.

    A value may have come in two pieces of a request, so pieces are cut before what may be one; and
    a head with a length waits for its body, as the length may have to change.
    """

    def __init__(
        self,
        connection: ConnectionId,
        scanner: ValueScanner,
        recorded: RecordedValues,
        matches: list[int],
    ) -> None:
        self._connection = connection
        self._scanner = scanner
        self._recorded = recorded
        self._matches = matches  # of each pattern, on all connections
        self._own = [0] * len(matches)
        self._held: Data | None = None

    def take(self, event: Event) -> Iterator[Event]:
        """Return events that say the same, whose pieces have whole values."""
        if isinstance(event, Data) and event.direction == "request":
            yield from self._cut(event)
            return
        yield from self.rest()
        if isinstance(event, Data):
            self._note(self._scanner.feed(event.data))
        else:
            self._note(self._scanner.settle())
        yield event

    def rest(self) -> Iterator[Event]:
        """Return what was cut off: what comes next does not belong to it."""
        if self._held is not None:
            held, self._held = self._held, None
            yield held

    def spots(self, data: bytes) -> tuple[ValueSpot, ...]:
        """Return where a piece has values."""
        return self._recorded.spots(data)

    def _cut(self, event: Data) -> Iterator[Event]:
        self._note(self._scanner.settle())
        held = self._held
        if held is not None and held.offset + len(held.data) == event.offset:
            event = _part(event, held.offset, held.data + event.data)
        else:
            yield from self.rest()
        self._held = None
        lacks = missing_body_bytes(event.data)
        if lacks and len(event.data) + lacks <= _MOST_JOINED_BYTES:
            self._held = event
            return
        whole = self._recorded.whole_bytes(event.data)
        if whole < len(event.data):
            self._held = _part(event, event.offset + whole, event.data[whole:])
        if whole:
            yield _part(event, event.offset, event.data[:whole])

    def _note(self, found: Iterator[tuple[int, bytes]]) -> None:
        for pattern, value in found:
            key = ValueKey(self._connection, pattern, self._own[pattern])
            self._own[pattern] += 1
            self._matches[pattern] += 1
            self._recorded.add(value, key)


def _part(event: Data, offset: int, data: bytes) -> Data:
    return Data(
        event.connection, event.time_ns, event.direction, offset, data, is_checked=event.is_checked
    )
