"""Clients that are turned away at once: counted each, told together."""

from collections.abc import Callable

import structlog

from spliceproxy import reasons
from spliceproxy.loop.reactor import Reactor
from spliceproxy.loop.timers import Timer

_TELL_EVERY_S = 1.0

_QUIET = frozenset(
    {
        reasons.CLIENT_LEFT,  # a health check that only connects
        reasons.DRAIN_DEADLINE,
        reasons.STOPPED,
    }
)
"""Counted, and not worth a line: nobody has done anything wrong."""


class Refusal(Exception):  # noqa: N818 - it is the client's, not an error of the program
    """A client is turned away."""

    def __init__(self, why: str, detail: str = "") -> None:
        super().__init__(why, detail)
        self.why = why
        self.detail = detail


class Refusals:
    """Counts the clients that a route turns away, and tells of them in the log.

    The first one for a reason is told at once, those of the second that follows in one line: a
    flood of clients is no flood of lines.
    """

    def __init__(self, reactor: Reactor, route: str, count: Callable[[str], None]) -> None:
        self._reactor = reactor
        self._route = route
        self._count = count
        self._lines: dict[str, _Line] = {}

    def add(self, refusal: Refusal, client: str) -> None:
        """Count a client; the detail is what was wrong with its bytes."""
        self._count(refusal.why)
        if refusal.why in _QUIET:
            return
        line = self._lines.get(refusal.why)
        if line is None:
            line = self._lines[refusal.why] = _Line(self._reactor, self._route, refusal.why)
        line.add(client, refusal.detail)

    def flush(self) -> None:
        """Tell what was not told yet."""
        for line in self._lines.values():
            line.flush()


class _Line:
    """What is to be told of one reason."""

    def __init__(self, reactor: Reactor, route: str, why: str) -> None:
        self._reactor = reactor
        self._route = route
        self._why = why
        self._count = 0
        self._client = ""
        self._detail = ""
        self._timer: Timer | None = None

    def add(self, client: str, detail: str) -> None:
        self._count += 1
        self._client, self._detail = client, detail
        if self._timer is None:
            self._tell()

    def on_deadline(self) -> None:
        """Tell of those since the last line; after a quiet second the next one is told at once."""
        self._timer = None
        if self._count:
            self._tell()

    def on_crash(self, error: Exception) -> None:
        """Tell again with the next one."""
        structlog.get_logger().error("internal_error", route=self._route, exc_info=error)

    def flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self.on_deadline()

    def _tell(self) -> None:
        detail = {"detail": self._detail} if self._detail else {}
        structlog.get_logger().warning(
            "clients_refused",
            route=self._route,
            reason=self._why,
            count=self._count,
            last_client=self._client,
            **detail,
        )
        self._count = 0
        self._timer = self._reactor.timers.after(_TELL_EVERY_S, self)
