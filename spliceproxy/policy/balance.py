"""In which order backends are tried for a connection."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")


class RoundRobin:
    """Starts each turn one further than the one before, and goes once around."""

    def __init__(self, first: int = 0) -> None:
        self._next = first

    def turn(self, items: Sequence[Item]) -> Iterator[Item]:
        """All items once, the next one in line first."""
        start = self._next % len(items)
        self._next = start + 1
        for offset in range(len(items)):
            yield items[(start + offset) % len(items)]
