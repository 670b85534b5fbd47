"""How the master comes to its end: by a drain, which may begin with a delay, or at once."""

import time
from collections.abc import Callable

import structlog

from spliceproxy.master.generations import Generations
from spliceproxy.master.open_listeners import OpenListeners


class Departure:
    """What was asked for; the last wish counts, and there is no way back.

    Before a drain new clients may be served for a while: balancers ask whether the proxy is ready,
    and send clients until they have heard that it is not.
    """

    def __init__(self, listeners: OpenListeners, begin: Callable[[], None]) -> None:
        """`begin` is called once, at the first wish."""
        self.is_under_way = False
        self.next_deadline_s: float | None = None
        """When the drain is to begin (`time.monotonic`)."""
        self._listeners = listeners
        self._begin = begin
        self._signal_name = ""

    def drain(self, generations: Generations, signal_name: str, delay_s: float) -> None:
        """Let connections finish, after a delay."""
        self._set_out(signal_name)
        if delay_s:
            self.next_deadline_s = time.monotonic() + delay_s
            structlog.get_logger().info("drain_delayed", signal=signal_name, drain_delay_s=delay_s)
        else:
            self._drain(generations)

    def tend(self, generations: Generations) -> None:
        """Begin with the drain, if it is time for that."""
        if self.next_deadline_s is not None and time.monotonic() >= self.next_deadline_s:
            self.next_deadline_s = None
            self._drain(generations)

    def stop(self, generations: Generations, signal_name: str) -> None:
        """Stop at once."""
        structlog.get_logger().warning("stopping_at_once", signal=signal_name)
        self.next_deadline_s = None
        self._set_out(signal_name)
        self._listeners.close()
        generations.stop()

    def _set_out(self, signal_name: str) -> None:
        self._signal_name = signal_name
        if not self.is_under_way:
            self.is_under_way = True
            self._begin()

    def _drain(self, generations: Generations) -> None:
        timeout_s = generations.current.settings.drain_timeout_s
        told = {"signal": self._signal_name, "drain_timeout_s": timeout_s}
        structlog.get_logger().info("draining", **told)
        # First the workers, which take what waits in the backlog: the last holder of a
        # listening socket to close it resets what is left there.
        generations.drain(timeout_s)
        self._listeners.close()
