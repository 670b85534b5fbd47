"""What is told of a connection when it ends: one canonical log line."""

import time
from dataclasses import dataclass, replace
from typing import Protocol

from spliceproxy.observe.termination import Phase, cause_of, letters


class Direction(Protocol):
    """One direction's counters."""

    spliced_bytes: int
    copied_bytes: int
    undelivered_bytes: int


@dataclass(slots=True)
class ConnectionRecord:
    """What is known of a connection; filled in as it happens, from its accept to its end."""

    route: str
    listener: str
    client: str
    peer: str | None = None
    """Who connected to the listener, where that is another proxy that spoke for the client."""
    server_name: str | None = None
    """What the client's TLS hello asked for."""
    tls: dict[str, str | bool] | None = None
    """What a TLS handshake with the client has agreed on, where it has ended here."""
    tlvs: dict[str, str | bool] | None = None
    """What a PROXY header has told of the client besides its addresses."""
    backend: str = ""
    backend_name: str = ""
    """The same backend as it is configured."""
    attempts: int = 0
    """Connects that were tried, with the one that a close has cut short."""
    queue_s: float | None = None
    """How long it waited for room at a backend; None: it had not to."""
    connect_s: float | None = None
    """From when it was let in until a backend had answered."""
    phase: Phase = Phase.CONNECT
    """How far it has got."""
    request_bytes: int = 0  # delivered to the backend
    response_bytes: int = 0  # delivered to the client
    undelivered_bytes: int = 0  # taken from one peer and lost with the other
    spliced_bytes: int = 0
    copied_bytes: int = 0
    duration_s: float = 0.0
    reason: str = ""
    closed_by: str = ""
    mirrors: list[dict[str, object]] | None = None
    accepted: float = 0.0
    """Seconds since 1970; known when it has ended."""

    def connected(self, backend: str, backend_name: str, connect_s: float) -> None:
        """Note that a backend has answered."""
        self.attempts += 1
        self.backend = backend
        self.backend_name = backend_name
        self.connect_s = connect_s
        self.phase = Phase.DATA

    def count(self, request: Direction, response: Direction) -> None:
        """Take over the counters of both directions."""
        self.request_bytes = request.spliced_bytes + request.copied_bytes
        self.response_bytes = response.spliced_bytes + response.copied_bytes
        self.spliced_bytes = request.spliced_bytes + response.spliced_bytes
        self.copied_bytes = request.copied_bytes + response.copied_bytes
        self.undelivered_bytes = request.undelivered_bytes + response.undelivered_bytes

    def end(self, why: str, first_to_end: str = "") -> None:
        """Note why it has ended, and who was the first to send an end of stream, if anybody."""
        self.accepted = time.time() - self.duration_s
        self.reason = why
        self.closed_by = cause_of(why).closed_by or first_to_end

    def line_so_far(
        self, duration_s: float, request: Direction, response: Direction
    ) -> dict[str, object]:
        """Return the line of a connection that goes on; its reason is ``open``."""
        now = replace(self, duration_s=duration_s)
        now.count(request, response)
        return {**now.line(), "reason": "open", "termination": ""}

    @property
    def termination(self) -> str:
        """The two letters that HAProxy would give it; empty as long as it is open."""
        return "" if self.reason in ("", "open") else letters(self.reason, self.phase)

    def line(self) -> dict[str, object]:
        """Return the line's keys and values, always all of them; times to the microsecond."""
        return {
            "route": self.route,
            "listener": self.listener,
            "client": self.client,
            "peer": self.peer,
            "server_name": self.server_name,
            "tls": self.tls,
            "tlvs": self.tlvs,
            "backend": self.backend,
            "attempts": self.attempts,
            "queue_s": _rounded(self.queue_s),
            "connect_s": _rounded(self.connect_s),
            "duration_s": round(self.duration_s, 6),
            "request_bytes": self.request_bytes,
            "response_bytes": self.response_bytes,
            "undelivered_bytes": self.undelivered_bytes,
            "spliced_bytes": self.spliced_bytes,
            "copied_bytes": self.copied_bytes,
            "reason": self.reason,
            "closed_by": self.closed_by,
            "termination": self.termination,
            "mirrors": self.mirrors,
        }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
