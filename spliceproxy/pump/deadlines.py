"""How long a link may be silent, and how long it may last."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spliceproxy import reasons

if TYPE_CHECKING:
    from spliceproxy.pump.link import Link


@dataclass(frozen=True, slots=True)
class LinkTimeouts:
    """When a link is ended though its peers are well; None: never."""

    idle_s: float
    """Silence in both directions."""
    half_closed_s: float | None = None
    """Silence in the direction that is left when the other one has ended; instead of `idle_s`."""
    lifetime_s: float | None = None
    """From the beginning, however much is moved."""


class Lifetime:
    """Ends a link when its time has come."""

    __slots__ = ("_link", "_timer")

    def __init__(self, link: "Link", lifetime_s: float) -> None:
        self._link = link
        self._timer = link.reactor.timers.after(lifetime_s, self)

    def cancel(self) -> None:
        """Let the link be."""
        self._timer.cancel()

    def on_deadline(self) -> None:
        """End the link."""
        self._link.close(reasons.LIFETIME_TIMEOUT)

    def on_crash(self, error: Exception) -> None:
        """End the link after an exception that nobody foresaw."""
        self._link.on_crash(error)
