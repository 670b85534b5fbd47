"""A bandwidth that connections share, in turns."""

from typing import Protocol

from spliceproxy.loop.reactor import Reactor
from spliceproxy.loop.timers import Timer
from spliceproxy.policy.bandwidth import Bandwidth


class BandwidthWaiter(Protocol):
    """Who waits for a part of it."""

    def go_on(self, set_aside_bytes: int) -> None:
        """Read: so many bytes are set aside."""

    def on_crash(self, error: Exception) -> None:
        """Wait no more: going on failed in a way that nobody foresaw."""


class SharedBandwidth:
    """Gives to whoever asks, until somebody has to wait; then to those who wait, in their order.

    Of what there is they get equal parts, and whoever wants more waits at the end of the line. So
    a connection that wants little hardly waits, and the others share the rest.
    """

    def __init__(self, reactor: Reactor, bytes_per_s: int) -> None:
        self._reactor = reactor
        self._bandwidth = Bandwidth(bytes_per_s, reactor.now_s)
        self._line: dict[BandwidthWaiter, None] = {}
        self._timer: Timer | None = None

    def ask(self, waiter: BandwidthWaiter, most_bytes: int) -> int:
        """Set bytes aside; 0: there are none, and the waiter hears when it has its turn."""
        given = 0 if self._line else self._take(most_bytes)
        if not given:
            self._line[waiter] = None
            self._wait()
        return given

    def give_back(self, count: int) -> None:
        """Take back what was set aside and not read."""
        self._bandwidth.spend(-count)

    def forget(self, waiter: BandwidthWaiter) -> None:
        """Take a waiter out of the line."""
        self._line.pop(waiter, None)

    def on_deadline(self) -> None:
        """Let go on who has something set aside for it."""
        self._timer = None
        now_s = self._reactor.now_s
        part_bytes = self._bandwidth.available(now_s) // max(1, len(self._line))
        part_bytes = max(part_bytes, self._bandwidth.helping_bytes)
        while self._line:
            given = self._take(part_bytes)
            if not given:
                self._wait()
                break
            waiter = next(iter(self._line))
            del self._line[waiter]
            try:
                waiter.go_on(given)
            except Exception as error:  # it is that connection's, and no other's
                waiter.on_crash(error)

    def on_crash(self, error: Exception) -> None:
        """Let nobody wait for a turn that does not come."""
        for waiter in list(self._line):
            waiter.on_crash(error)

    def _take(self, most_bytes: int) -> int:
        given = min(most_bytes, self._bandwidth.available(self._reactor.now_s))
        self._bandwidth.spend(given)
        return given

    def _wait(self) -> None:
        if self._timer is None:
            delay_s = self._bandwidth.wait_s(self._reactor.now_s)
            self._timer = self._reactor.timers.after(delay_s, self)
