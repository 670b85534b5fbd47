"""What is replayed, captured again, so that it can be compared with the original."""

from spliceproxy.capture.events import Direction
from spliceproxy.capture.writer import CaptureWriter


class ReplayedCopy:
    """One connection of it."""

    def __init__(self, writer: CaptureWriter, facts: dict[str, object]) -> None:
        self._writer = writer
        self._connection = writer.open_connection(facts)

    def sent(self, data: bytes) -> None:
        """Bytes have gone to the target."""
        self._writer.data(self._connection, "request", data)

    def received(self, data: bytes) -> None:
        """Bytes have come from it."""
        self._writer.data(self._connection, "response", data)

    def ended(self, direction: Direction, *, is_reset: bool) -> None:
        """A direction has ended."""
        self._writer.end(self._connection, direction, is_reset=is_reset)

    def closed(self, reason: str) -> None:
        """The connection is over."""
        self._writer.close_connection(self._connection, {"reason": reason})
