"""Clients that wait until a backend has room: first come, first served, within bounds."""

from collections.abc import Callable, Collection
from typing import Protocol

from spliceproxy.loop.reactor import Reactor
from spliceproxy.settings.pool import QueueSettings


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
        self, reactor: Reactor, settings: QueueSettings, has_room: Callable[[], bool]
    ) -> None:
        self.timeout_s = settings.timeout_s
        self._size = settings.size
        self._reactor = reactor
        self._has_room = has_room
        self.waiting: dict[WaitingClient, None] = {}
        """Empty most of the time, which costs nothing to see."""
        self._moving = False

    def __len__(self) -> int:
        return len(self.waiting)

    @property
    def full(self) -> bool:
        """Whether nobody else may join."""
        return len(self.waiting) >= self._size

    def join(self, waiting: WaitingClient) -> None:
        """Wait behind all others."""
        self.waiting[waiting] = None

    def leave(self, waiting: WaitingClient) -> None:
        """Wait no more."""
        self.waiting.pop(waiting, None)

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
            if not self._has_room():
                break
            if waiting in self.waiting:
                if waiting.retry():
                    self.leave(waiting)
                else:
                    in_vain = in_vain or not waiting.tried
        self._moving = False
