"""How fast a route accepts: clients above its rate wait in the kernel's backlog."""

from collections.abc import Callable

import structlog

from spliceproxy.loop.reactor import Reactor
from spliceproxy.policy.rate import Rate, RateLimit


class AcceptRate:
    """Pauses the listeners of a route when its rate is used up.

    A client that is let in at a drain, all the same, counts too.
    """

    def __init__(self, reactor: Reactor, rate: Rate, changed: Callable[[], None]) -> None:
        self._reactor = reactor
        self._limit = RateLimit(rate)
        self._changed = changed
        self.paused = False

    def accepted(self) -> None:
        """Count a client; pause if the next one would be one too many."""
        now_s = self._reactor.now_s
        self._limit.admits(now_s)
        wait_s = self._limit.wait_s(now_s)
        if wait_s and not self.paused:
            self._reactor.timers.after(wait_s, self)
            self.paused = True
            self._changed()

    def on_deadline(self) -> None:
        """Accept again."""
        self.paused = False
        self._changed()

    def on_crash(self, error: Exception) -> None:
        """Report it. The listeners look again at the next connection that ends."""
        structlog.get_logger().error("internal_error", exc_info=error)
