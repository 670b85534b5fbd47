"""What a connection waits for before its first byte: outlets that it can't do without."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from spliceproxy.loop.reactor import Reactor
from spliceproxy.loop.timers import Timer

if TYPE_CHECKING:
    from spliceproxy.sinks.branch import Branch

OPEN_TIMEOUT_S = 5.0
"""For an outlet that does not give up by itself, such as a file on a disk that hangs."""


class Opening:
    """Lets all vital branches of a connection go when the last of them is open."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._vital: Sequence[Branch] = ()
        self._left = 0
        self._timer: Timer | None = None

    def expect(self, branches: Sequence["Branch"]) -> None:
        """Wait for these, if for any. To be called before any of them is started."""
        if all(branch.outlet.is_open_from_the_start for branch in branches):
            for branch in branches:
                branch.begin_open()
            return
        self._vital = branches
        self._left = len(branches)

    def started(self) -> None:
        """All have been started: the time runs for those that are not open by now."""
        if self._left:
            self._timer = self._reactor.timers.after(OPEN_TIMEOUT_S, self)

    def one_is_open(self) -> None:
        """One of them is open, or is over."""
        self._left -= 1
        if self._left:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        vital, self._vital = self._vital, ()
        for branch in vital:
            branch.let_go()

    def on_deadline(self) -> None:
        """Give those up that should be open by now."""
        self._timer = None
        for branch in self._vital:
            if branch.is_opening and not branch.outlet.bounds_opening:
                branch.fail("open_timeout")

    def on_crash(self, error: Exception) -> None:
        """Give all up."""
        for branch in self._vital:
            branch.on_crash(error)
