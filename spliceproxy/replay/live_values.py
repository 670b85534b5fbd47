"""Values of the target's answers, each in the place of a recorded one."""

from collections.abc import Callable, Iterator, Sequence

import trio

from spliceproxy.capture import ConnectionId
from spliceproxy.replay.recorded_values import ValueKey, ValueSpot
from spliceproxy.replay.value_patterns import ValueScanner


class LiveValues:
    """The last ones that came: of one connection, or of all."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: dict[ValueKey, bytes | None] = {}  # None: nobody waits for it any more
        self._news = trio.Event()

    def add(self, key: ValueKey, value: bytes) -> None:
        """Note one; the oldest goes where they are too many."""
        self._put(key, value)
        self._news.set()
        self._news = trio.Event()

    def _put(self, key: ValueKey, value: bytes | None) -> None:
        self._values[key] = value
        if len(self._values) > self._most:
            del self._values[next(iter(self._values))]

    def get(self, key: ValueKey) -> bytes | None:
        """Return a value; None: it has not come."""
        return self._values.get(key)

    async def wait(self, key: ValueKey, timeout_s: float) -> bytes | None:
        """Wait for a value once; None: it has not come in that time, or not the time before."""
        with trio.move_on_after(timeout_s):
            while key not in self._values:
                await self._news.wait()
        return self._values.get(key)

    def give_up(self, key: ValueKey) -> None:
        """Have nobody wait for it again; it may come all the same."""
        if key not in self._values:
            self._put(key, None)


Fill = Callable[[bytes, Sequence[ValueSpot], Sequence[bytes | None]], bytes]


class AnswerValues:
    """Of one live connection: what its answers have, for its requests."""

    def __init__(
        self,
        connection: ConnectionId,
        scanner: ValueScanner,
        values: LiveValues,
        matches: list[int],
        fill: Fill,
    ) -> None:
        self._values = values
        self._fill = fill
        self._connection = connection
        self._scanner = scanner
        self._matches = matches  # of each pattern, on all connections
        self._own = [0] * len(matches)

    def received(self, data: bytes) -> None:
        """Bytes have come from the target."""
        self._note(self._scanner.feed(data))

    def settle(self) -> None:
        """The answer is over."""
        self._note(self._scanner.settle())

    async def filled(self, data: bytes, spots: Sequence[ValueSpot], timeout_s: float) -> bytes:
        """Return a piece of a request with live values, when they have come, or not in time."""
        found = [await self._value(spot.key, timeout_s) for spot in spots]
        return self._fill(data, spots, found)

    async def _value(self, key: ValueKey, timeout_s: float) -> bytes | None:
        value = await self._values.wait(key, timeout_s)
        if value is None:
            self.settle()
            value = self._values.get(key)
            self._values.give_up(key)
        return value

    def _note(self, found: Iterator[tuple[int, bytes]]) -> None:
        for pattern, value in found:
            key = ValueKey(self._connection, pattern, self._own[pattern])
            self._own[pattern] += 1
            self._matches[pattern] += 1
            self._values.add(key, value)
