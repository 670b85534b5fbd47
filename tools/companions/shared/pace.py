"""Slowing a stream down to a rate."""

import trio

PIECES_PER_S = 20
"""A rate is kept by pauses of a twentieth of a second, so that a watcher sees it flow."""


class Pace:
    """Bounds the pieces of one stream, and waits after each for as long as it should have taken."""

    def __init__(self, bytes_per_s: int) -> None:
        self._bytes_per_s = bytes_per_s
        self._free_s = trio.current_time()

    @property
    def piece_bytes(self) -> int:
        return max(1, self._bytes_per_s // PIECES_PER_S)

    async def wait(self, moved_bytes: int) -> None:
        # What was late is not caught up with: the rate is a bound, never an average.
        self._free_s = max(self._free_s, trio.current_time()) + moved_bytes / self._bytes_per_s
        await trio.sleep_until(self._free_s)
