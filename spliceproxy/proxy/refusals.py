"""Clients that are turned away at once: counted each, told together."""

from collections.abc import Callable

from spliceproxy import reasons
from spliceproxy.loop.line_sums import LineSums
from spliceproxy.proxy.remedies import remedy_of_refusal

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
    """Counts the clients that a route turns away, and tells of them in the log."""

    def __init__(self, sums: LineSums, count: Callable[[str], None]) -> None:
        self._sums = sums
        self._count = count

    def add(self, refusal: Refusal, client: str) -> None:
        """Count a client; the detail is what was wrong with its bytes."""
        self._count(refusal.why)
        if refusal.why in _QUIET:
            return
        detail = {"detail": refusal.detail} if refusal.detail else {}
        labels = {"reason": refusal.why, "remedy": remedy_of_refusal(refusal.why)}
        self._sums.warn("clients_refused", labels, last_client=client, **detail)

    def crashed(self, error: Exception, client: str) -> None:
        """Tell what nobody foresaw while a client was looked at; it is refused after that."""
        self._sums.crashed(error, last_client=client)
