"""Clients that wait until a backend has room: first come, first served, within bounds.

Room that becomes free in this worker is given to the first of them at once. Of room that becomes
free in another one nobody is told: while somebody waits, the queue looks for it again and again.
"""

from collections.abc import Callable, Collection
from typing import Protocol

import structlog

from spliceproxy.loop.reactor import Reactor
from spliceproxy.loop.timers import Timer
from spliceproxy.settings.pool import QueueSettings
from spliceproxy.upstream.shared_room import SharedLine

_LOOK_AGAIN_S = 0.03
_MUCH_LONGER_S = 0.25
"""Whoever has waited so much longer in another worker goes first."""
_LEFT_TO_OTHERS_S = 0.08
"""So long room is left to them: until they have looked twice."""


class WaitingClient(Protocol):
    """An attempt of a client that found every backend full."""

    @property
    def tried(self) -> Collection[object]:
        """The backends that it may not have again."""

    def retry(self) -> bool:
        """Go on if there is room by now; False: still none. Never fails."""


class ClientQueue:
    """Those who wait now, the one who came first at the front."""

    def __init__(
        self,
        reactor: Reactor,
        settings: QueueSettings,
        has_room: Callable[[], bool],
        line: SharedLine | None,
    ) -> None:
        """Without a `line` nobody ever waits."""
        self.timeout_s = settings.timeout_s
        self._size = settings.size
        self._reactor = reactor
        self._has_room = has_room
        self._line = line
        self.waiting: dict[WaitingClient, float] = {}
        """Each since when. Empty most of the time, which costs nothing to see."""
        self._moving = False
        self._timer: Timer | None = None
        self._yielded_to_s = 0.0
        self._yields_until_s = 0.0

    def __len__(self) -> int:
        return len(self.waiting)

    @property
    def full(self) -> bool:
        """Whether nobody else may join, here or in another worker."""
        return len(self.waiting if self._line is None else self._line) >= self._size

    def join(self, waiting: WaitingClient) -> None:
        """Wait behind all others."""
        self.waiting[waiting] = self._reactor.now_s
        self._tell()
        if self._timer is None:
            self._timer = self._reactor.timers.after(_LOOK_AGAIN_S, self)

    def leave(self, waiting: WaitingClient) -> None:
        """Wait no more."""
        if self.waiting.pop(waiting, None) is not None:
            self._tell()

    def _tell(self) -> None:
        if self._line is not None:
            self._line.tell(len(self.waiting), next(iter(self.waiting.values()), 0.0))

    def on_deadline(self) -> None:
        """Look for room that has become free in another worker."""
        self._timer = None
        if self.waiting:
            self._timer = self._reactor.timers.after(_LOOK_AGAIN_S, self)
            self.move_soon()

    def on_crash(self, error: Exception) -> None:
        """Report it. The queue moves on with the next connection that ends."""
        structlog.get_logger().error("internal_error", exc_info=error)

    def move_soon(self) -> None:
        """Let those go on who can, when the reactor's batch is over."""
        if self.waiting and not self._moving:
            self._moving = True
            self._reactor.at_batch_end(self._move)

    def _move(self) -> None:
        """Ask from the front on, for as long as there is room.

        One who has tried the backend with room, and may not have it again, holds up no other.
        Where one who may have any finds no room, the others who may need not ask: the room is at
        a backup, and a long queue must not be asked whenever somebody comes or goes.
        """
        in_vain = False
        for waiting in list(self.waiting):
            if in_vain and not waiting.tried:
                continue
            if not self._has_room() or self._leaves_it_to_others():
                break
            if waiting in self.waiting:
                if waiting.retry():
                    self.leave(waiting)
                else:
                    in_vain = in_vain or not waiting.tried
        self._moving = False

    def _leaves_it_to_others(self) -> bool:
        """Whether the room there is should go to clients in another worker, for a moment.

        For each of them only once: whether they can use it is not known.
        """
        now_s = self._reactor.now_s
        if self._line is None or not self.waiting:
            return False
        if now_s < self._yields_until_s:
            return True
        first_s = self._line.first_elsewhere_s()
        if not first_s or first_s == self._yielded_to_s:
            return False
        if first_s + _MUCH_LONGER_S > next(iter(self.waiting.values())):
            return False
        self._yielded_to_s = first_s
        self._yields_until_s = now_s + _LEFT_TO_OTHERS_S
        return True
