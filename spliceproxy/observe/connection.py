"""What is told of a connection when it ends: one canonical log line."""

from dataclasses import dataclass
from typing import Protocol


class Direction(Protocol):
    """One direction's counters."""

    spliced_bytes: int
    copied_bytes: int
    undelivered_bytes: int


@dataclass(slots=True)
class ConnectionRecord:
    """A connection's line in the log; the field names are its keys."""

    route: str
    listener: str
    client: str
    backend: str = ""
    request_bytes: int = 0  # delivered to the backend
    response_bytes: int = 0  # delivered to the client
    undelivered_bytes: int = 0  # taken from one peer and lost with the other
    spliced_bytes: int = 0
    copied_bytes: int = 0
    duration_s: float = 0.0
    connect_s: float | None = None
    reason: str = ""
    mirrors: list[dict[str, object]] | None = None

    def count(self, request: Direction, response: Direction) -> None:
        """Take over the counters of both directions."""
        self.request_bytes = request.spliced_bytes + request.copied_bytes
        self.response_bytes = response.spliced_bytes + response.copied_bytes
        self.spliced_bytes = request.spliced_bytes + response.spliced_bytes
        self.copied_bytes = request.copied_bytes + response.copied_bytes
        self.undelivered_bytes = request.undelivered_bytes + response.undelivered_bytes

    def line(self) -> dict[str, object]:
        """Return the line's keys and values; times to the microsecond."""
        line: dict[str, object] = {
            "route": self.route,
            "listener": self.listener,
            "client": self.client,
            "backend": self.backend,
            "request_bytes": self.request_bytes,
            "response_bytes": self.response_bytes,
            "undelivered_bytes": self.undelivered_bytes,
            "spliced_bytes": self.spliced_bytes,
            "copied_bytes": self.copied_bytes,
            "duration_s": round(self.duration_s, 6),
            "connect_s": None if self.connect_s is None else round(self.connect_s, 6),
            "reason": self.reason,
        }
        if self.mirrors is not None:
            line["mirrors"] = self.mirrors
        return line
