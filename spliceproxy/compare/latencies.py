"""How long answers took: a histogram whose classes are 9 % apart, of any number of times."""

from collections import Counter
from collections.abc import Iterator
from math import ceil, log2

_CLASSES_PER_DOUBLING = 8
_LEAST_S = 1e-6
_MOST_S = 3600.0


class Latencies:
    """From the last byte of a request to the first byte of the answer after it."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Count one."""
        bounded = min(max(seconds, _LEAST_S), _MOST_S)
        self._counts[ceil(log2(bounded) * _CLASSES_PER_DOUBLING)] += 1

    @property
    def count(self) -> int:
        """How many there are."""
        return self._counts.total()

    def classes(self) -> Iterator[tuple[float, int]]:
        """Return the upper end of each class in seconds, and how many are in it."""
        for number, count in sorted(self._counts.items()):
            yield 2 ** (number / _CLASSES_PER_DOUBLING), count

    def quantile(self, fraction: float) -> float | None:
        """Return the seconds that so many took at most, as exactly as the classes are."""
        wanted, seen = fraction * self.count, 0
        for upper_s, count in self.classes():
            seen += count
            if seen >= wanted:
                return upper_s
        return None
