"""Letting small copies wait in a queue for company, since writing each would cost too much."""

from collections.abc import Callable

from spliceproxy.loop.reactor import Reactor
from spliceproxy.loop.timers import Timer


class Gathering:
    """Calls for a flush a little after the first copy that was not worth one by itself."""

    __slots__ = ("_flush", "_on_crash", "_reactor", "_timer")

    def __init__(
        self,
        reactor: Reactor,
        flush: Callable[[], None],
        on_crash: Callable[[Exception], None],
    ) -> None:
        self._reactor = reactor
        self._flush = flush
        self._on_crash = on_crash
        self._timer: Timer | None = None

    def flush_after(self, delay_s: float) -> None:
        """Flush then, if that is not on its way already."""
        if self._timer is None:
            self._timer = self._reactor.timers.after(delay_s, self)

    def cancel(self) -> None:
        """Forget it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def on_deadline(self) -> None:
        """Flush."""
        self._timer = None
        self._flush()

    def on_crash(self, error: Exception) -> None:
        """Pass it on."""
        self._on_crash(error)
