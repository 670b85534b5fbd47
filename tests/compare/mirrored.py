"""Captures with answers of a mirror, made record by record."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spliceproxy.capture import ConnectionId
from tests.capture.recorded import Recorded

from .exchanges import Exchange

MIRROR = "tcp://192.0.2.9:80"


class MirroredTraffic:
    """Each method adds records; the mirror of connection N is connection 100 * M + N."""

    def __init__(self, directory: Path, recorded: Recorded | None = None) -> None:
        if recorded is None:
            directory.mkdir(exist_ok=True)
        self.capture = recorded or Recorded(directory)
        self.directory = directory
        self._sizes: dict[tuple[int, str], int] = {}

    def open(self, number: int, at_ms: float = 0) -> None:
        self.capture.open(number, at_ms)

    def open_mirror(self, number: int, at_ms: float = 0, mirror: str = MIRROR, of: int = 1) -> None:
        backend, of_text = mirror.rpartition("/")[2], str(ConnectionId(1, of))
        self.capture.open(number, at_ms, backend=backend, mirror=mirror, mirror_of=of_text)

    def say(self, number: int, data: bytes, at_ms: float, direction: str = "request") -> None:
        """Bytes of a stream, behind those before."""
        at = self._sizes.get((number, direction), 0)
        self._sizes[number, direction] = at + len(data)
        self.capture.data(number, data, at_ms, direction=direction, offset=at)

    def answer(self, number: int, data: bytes, at_ms: float) -> None:
        self.say(number, data, at_ms, "response")

    def sent(self, number: int, of: int, at_ms: float, *, age_ms: float = 0) -> None:
        """All that has been asked on a connection so far."""
        self.capture.sent(number, self._sizes.get((of, "request"), 0), at_ms, age_ms=age_ms)

    def close(self, number: int, at_ms: float, *, is_reset: bool = False, **facts: Any) -> None:
        for direction in ("request", "response"):
            if (size := self._sizes.get((number, direction))) is not None:
                reset = is_reset and direction == "response"
                self.capture.end(number, size, at_ms, direction=direction, is_reset=reset)
        self.capture.close(number, at_ms, **facts)

    def close_mirror(self, number: int, at_ms: float, of: int = 1, **facts: Any) -> None:
        asked = self._sizes.get((of, "request"), 0)
        self.close(number, at_ms, **{"request_bytes": asked} | facts)

    def exchange(
        self,
        exchanges: Sequence[tuple[bytes, bytes, bytes]],
        number: int = 1,
        at_ms: float = 0,
        **facts: Any,
    ) -> None:
        """A whole connection: requests, what was answered, and what a mirror has answered."""
        mirror = 100 + number
        self.open(number, at_ms)
        self.open_mirror(mirror, at_ms, of=number)
        for request, answer, other in exchanges:
            self.say(number, request, at_ms)
            self.answer(number, answer, at_ms + 1)
            if other:
                self.sent(mirror, number, at_ms + 3, age_ms=2)
                self.answer(mirror, other, at_ms + 3)
            at_ms += 10
        self.close_mirror(mirror, at_ms, number, **facts)
        self.close(number, at_ms)


def three(exchange: Exchange, other: bytes | None = None) -> tuple[bytes, bytes, bytes]:
    """An exchange with what a mirror has answered: the same, unless it is told."""
    request, answer = exchange
    return request, answer, answer if other is None else other
