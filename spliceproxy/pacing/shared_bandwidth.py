"""A bandwidth that connections share, in turns; those of all workers, each worker its own."""

from typing import Protocol

from spliceproxy.loop.reactor import Reactor
from spliceproxy.loop.timers import Timer
from spliceproxy.policy.bandwidth import MeteredBandwidth
from spliceproxy.policy.rate import Meter


class BandwidthWaiter(Protocol):
    """Who waits for a part of it."""

    def go_on(self, set_aside_bytes: int) -> None:
        """Read: so many bytes are set aside."""

    def on_crash(self, error: Exception) -> None:
        """Wait no more: going on failed in a way that nobody foresaw."""


class Waiting(Protocol):
    """How many wait for a part of it, in all workers."""

    own: int
    """Those of this worker."""

    def total(self) -> int:
        """Return the sum."""


class SharedBandwidth:
    """Gives to whoever asks, until somebody has to wait; then to those who wait, in their order.

    Of what there is they get equal parts, and whoever wants more waits at the end of the line. So
    a connection that wants little hardly waits, and the others share the rest. A worker leaves to
    the others as many parts as connections wait there.
    """

    def __init__(self, reactor: Reactor, bytes_per_s: int, meter: Meter, waiting: Waiting) -> None:
        self._reactor = reactor
        self._bandwidth = MeteredBandwidth(bytes_per_s, reactor.now_s, meter)
        self._waiting = waiting
        self._line: dict[BandwidthWaiter, None] = {}
        self._timer: Timer | None = None

    def ask(self, waiter: BandwidthWaiter, most_bytes: int) -> int:
        """Set bytes aside; 0: there are none, and the waiter hears when it has its turn."""
        given = 0 if self._line else self._take(most_bytes, self._waiting.total() + 1)
        if not given:
            self._line[waiter] = None
            self._waiting.own = len(self._line)
            self._wait()
        return given

    def give_back(self, count: int) -> None:
        """Take back what was set aside and not read."""
        self._bandwidth.spend(-count)

    def forget(self, waiter: BandwidthWaiter) -> None:
        """Take a waiter out of the line."""
        self._line.pop(waiter, None)
        self._waiting.own = len(self._line)

    def on_deadline(self) -> None:
        """Let go on who has something set aside for it."""
        self._timer = None
        part_bytes = self._part(self._waiting.total())
        while self._line:
            given = self._take(part_bytes)
            if not given:
                self._wait()
                break
            waiter = next(iter(self._line))
            del self._line[waiter]
            self._waiting.own = len(self._line)
            try:
                waiter.go_on(given)
            except Exception as error:  # it is that connection's, and no other's
                waiter.on_crash(error)

    def on_crash(self, error: Exception) -> None:
        """Let nobody wait for a turn that does not come."""
        for waiter in list(self._line):
            waiter.on_crash(error)

    def _part(self, sharers: int) -> int:
        """Return what each of so many gets of what there is, and no less than is worth a read."""
        available_bytes = self._bandwidth.available(self._reactor.now_s)
        return max(available_bytes // max(1, sharers), self._bandwidth.helping_bytes)

    def _take(self, most_bytes: int, sharers: int = 1) -> int:
        """Take what there is, or its part of that where others want some too."""
        if sharers > 1:
            most_bytes = min(most_bytes, self._part(sharers))
        given = min(most_bytes, self._bandwidth.available(self._reactor.now_s))
        if given:
            self._bandwidth.spend(given)
        return given

    def _wait(self) -> None:
        if self._timer is None:
            delay_s = self._bandwidth.wait_s(self._reactor.now_s)
            self._timer = self._reactor.timers.after(delay_s, self)
