"""What several writers tell, in one order of time."""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import Generic, TypeVar

Item = TypeVar("Item")


class _Source(Generic[Item]):
    """One writer. Its order stands: where a time goes back it counts as the one before."""

    def __init__(self, batches: Iterator[list[Item]], time_of: Callable[[Item], int]) -> None:
        self._batches = batches
        self._time_of = time_of
        self._items: list[Item] = []
        self._times: list[int] = []

    def fill(self) -> bool:
        """Read on if all has been taken; whether there is something."""
        while not self._items:
            batch = next(self._batches, None)
            if batch is None:
                return False
            self._items, self._times = batch, []
        return True

    @property
    def times(self) -> list[int]:
        """Of what is there, one each; a writer that is alone needs none."""
        if not self._times:
            self._times = list(accumulate(map(self._time_of, self._items), max))
        return self._times

    def take_all(self) -> list[Item]:
        """Take what is there."""
        taken, self._items = self._items, []
        return taken

    def take(self, until_ns: int) -> tuple[list[Item], list[int]]:
        """Take what is not later, and when that was."""
        count = bisect_right(self.times, until_ns)
        taken = self._items[:count], self._times[:count]
        self._items, self._times = self._items[count:], self._times[count:]
        return taken


def merged(
    writers: Iterable[tuple[int, Iterator[list[Item]]]], time_of: Callable[[Item], int]
) -> Iterator[list[Item]]:
    """Merge what writers tell, batch by batch; none is read on before the time it comes with.

    It holds a batch of each writer that is being read. To sort them takes a fifth of the time of a
    heap of single items, as sort finds what is in order already.
    """
    later = deque(sorted(writers, key=lambda writer: writer[0]))
    sources: list[_Source[Item]] = []
    while True:
        sources = [source for source in sources if source.fill()]
        if len(sources) == 1 and not later:
            yield sources[0].take_all()
            continue
        ends = [source.times[-1] for source in sources]
        if later and not (ends and min(ends) < later[0][0]):
            until_ns, batches = later.popleft()
            found = _sorted(sources, until_ns)
            sources.append(_Source(batches, time_of))
        elif ends:
            found = _sorted(sources, min(ends))
        else:
            return
        if found:
            yield found


def _sorted(sources: Iterable[_Source[Item]], until_ns: int) -> list[Item]:
    """Take what is not later from all; at the same time those that were opened first are first."""
    items: list[Item] = []
    times: list[int] = []
    for source in sources:
        its_items, its_times = source.take(until_ns)
        items += its_items
        times += its_times
    return [items[at] for at in sorted(range(len(items)), key=times.__getitem__)]
