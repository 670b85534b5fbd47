"""The time that a mirror gets for what is queued when its stream has ended."""

from typing import TYPE_CHECKING

from spliceproxy.loop.reactor import Reactor
from spliceproxy.loop.timers import Timer

if TYPE_CHECKING:
    from spliceproxy.sinks.branch import Branch

FLUSH_TIMEOUT_S = 10.0
"""How long a mirror may stand still before the rest is dropped, once the stream has ended."""


class LastFlush:
    """Gives a branch up whose mirror stands still; one that moves on may take any time."""

    __slots__ = ("_branch", "_progress_s", "_reactor", "_timer")

    def __init__(self, branch: "Branch", reactor: Reactor) -> None:
        self._branch = branch
        self._reactor = reactor
        self._progress_s = 0.0
        self._timer: Timer | None = None

    def begin(self) -> None:
        """The stream has ended: the time runs."""
        self._progress_s = self._reactor.now_s
        self._timer = self._reactor.timers.after(FLUSH_TIMEOUT_S, self)

    def progressed(self) -> None:
        """The mirror has taken something: the time runs anew."""
        self._progress_s = self._reactor.now_s

    def cancel(self) -> None:
        """The branch is over."""
        if self._timer is not None:
            self._timer.cancel()

    def on_deadline(self) -> None:
        """Give up, or wait for the rest of the time."""
        branch = self._branch
        if branch.over:
            return
        left_s = self._progress_s + self._patience_s() - self._reactor.now_s
        if left_s > 0:
            self._timer = self._reactor.timers.after(left_s, self)
        elif branch.has_all and not branch.vital:
            branch.outlet.cut()  # and it only does not say goodbye
        else:
            branch.fail("flush_timeout")

    def _patience_s(self) -> float:
        branch = self._branch
        goodbye_s = branch.outlet.goodbye_s
        is_goodbye = branch.has_all and not branch.vital
        return goodbye_s if is_goodbye and goodbye_s is not None else FLUSH_TIMEOUT_S

    def on_crash(self, error: Exception) -> None:
        """Pass it on."""
        self._branch.on_crash(error)
