"""Where players wait until they begin: in recorded order, in time, so many at a time."""

from collections import deque
from typing import TYPE_CHECKING

import trio

from spliceproxy.replay.announce import announce

if TYPE_CHECKING:
    from spliceproxy.replay.player import Player

_LONG_WAIT_S = 600
"""That is worth a word, where nothing is to be seen."""
_BURST = 64
"""So many begin before those that are live get their turns."""


class StartLine:
    """One task lets players begin; what waits has no task of its own yet."""

    def __init__(self, most_live: int) -> None:
        self.live = 0
        self.starving = 0
        """Live players that wait for the reader."""
        self.late = 0
        """Players that had to wait for others to end."""
        self._most_live = most_live
        self._waiting: deque[Player] = deque()
        self._is_closed = False
        self._news = trio.Event()
        self._burst = 0
        self._blocked_until_s = float("-inf")
        self._has_begun = False

    @property
    def is_stuck(self) -> bool:
        """Whether no live player can go on without what the reader has no room for."""
        return self.live == self._most_live and self.starving == self.live

    def add(self, player: "Player") -> None:
        """Let a player wait; nobody begins before those that were added before."""
        self._waiting.append(player)
        self._tell()

    def close(self) -> None:
        """No more players come."""
        self._is_closed = True
        self._tell()

    def leave(self) -> None:
        """A player has ended."""
        self.live -= 1
        self._tell()

    def give_up_largest(self) -> bool:
        """Skip the waiting player that holds most of what was read ahead; whether there is one.

        Of those that hold as much it is the last one, which would have begun last.
        """
        if not self._waiting:
            return False
        largest = max(reversed(self._waiting), key=lambda player: player.queue.held_bytes)
        self._waiting.remove(largest)
        largest.hold_nothing()
        if not largest.is_over:
            largest.skip("no_room")
        return True

    async def run(self, nursery: trio.Nursery) -> None:
        """Let them begin, until there are no more."""
        while True:
            while not self._waiting:
                if self._is_closed:
                    return
                await self._wait_for_news()
            await self._admit(self._waiting[0], nursery)

    async def _admit(self, player: "Player", nursery: trio.Nursery) -> None:
        self._burst += 1
        if player.begins_s > trio.current_time() or self._burst >= _BURST:
            self._burst = 0
            self._tell_long_wait(player)
            await trio.sleep_until(player.begins_s)
        while self.live >= self._most_live:
            await self._wait_for_news()
            self._blocked_until_s = trio.current_time()
        if not self._waiting or self._waiting[0] is not player:  # it was given up meanwhile
            return
        self._waiting.popleft()
        if player.is_over:
            player.hold_nothing()
            return
        if player.begins_s <= self._blocked_until_s:
            self.late += 1
        self.live += 1
        self._has_begun = True
        player.begin()
        nursery.start_soon(player.play)

    def _tell_long_wait(self, player: "Player") -> None:
        wait_s = player.begins_s - trio.current_time()
        if wait_s >= _LONG_WAIT_S and self._has_begun:  # the first one's time is agreed on
            announce(
                f"the next connection, {player.result.id}, is due in {wait_s / 3600:.1f} hours;"
                " --arrival makes such times shorter, --from and --until leave them out"
            )

    async def _wait_for_news(self) -> None:
        self._news = trio.Event()
        await self._news.wait()

    def _tell(self) -> None:
        self._news.set()

    def abandon(self) -> None:
        """The replay is over: none of those that wait will begin."""
        while self._waiting:
            player = self._waiting.popleft()
            player.hold_nothing()
            if not player.is_over:
                player.end_unbegun("interrupted", "")
