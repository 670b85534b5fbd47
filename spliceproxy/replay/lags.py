"""How late things were done: a histogram of fixed size."""

import math

_STEPS_PER_DOUBLING = 16  # each is 4.4 % above the one before: that exact are percentiles
_LOWEST_S = 1e-6
_COUNT = 32 * _STEPS_PER_DOUBLING  # up to 71 minutes; what is later counts as the last


class Lags:
    """Takes lags in seconds."""

    def __init__(self) -> None:
        self.count = 0
        self.most_s = 0.0
        self._counts = [0] * _COUNT

    def note(self, lag_s: float) -> None:
        """Count one; what was early was in time."""
        lag_s = max(lag_s, 0.0)
        self.count += 1
        self.most_s = max(self.most_s, lag_s)
        at = int(math.log2(max(lag_s / _LOWEST_S, 1.0)) * _STEPS_PER_DOUBLING)
        self._counts[min(at, _COUNT - 1)] += 1

    def percentile_s(self, part: float) -> float:
        """Return the lag that this part of all, 0 to 1, did not exceed; 0 if there are none."""
        seen = 0
        for at, count in enumerate(self._counts):
            seen += count
            if count and seen >= part * self.count:
                return min(_LOWEST_S * 2 ** ((at + 1) / _STEPS_PER_DOUBLING), self.most_s)
        return 0.0
