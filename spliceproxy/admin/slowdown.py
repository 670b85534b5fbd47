"""Making those wait who try one token after the other."""

from collections import OrderedDict

import trio

FIRST_S = 0.25
LONGEST_S = 4.0
_FORGOTTEN_AFTER_S = 60.0
_MOST_REMEMBERED = 1024
"""Addresses and users; whoever has failed least lately is forgotten for another."""


class Slowdown:
    """Each failure of somebody takes twice as long as the one before; others don't notice.

    The seat of a connection that waits is taken meanwhile: so there is no more trying at once
    than there are seats for one somebody.
    """

    def __init__(self) -> None:
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    async def wait(self, key: str) -> None:
        """Wait for as long as the failures of that address or user ask for."""
        now_s = trio.current_time()
        count, last_s = self._failures.pop(key, (0, now_s))
        count = count + 1 if now_s - last_s < _FORGOTTEN_AFTER_S else 1
        self._failures[key] = (count, now_s)
        if len(self._failures) > _MOST_REMEMBERED:
            self._failures.popitem(last=False)
        await trio.sleep(min(LONGEST_S, FIRST_S * 2.0 ** min(count - 1, 10)))
