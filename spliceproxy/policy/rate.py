"""How often something may happen: a steady rate, with bursts."""

import math
from collections import OrderedDict
from dataclasses import dataclass

_ROUNDING_S = 1e-6  # many times what the sum of a clock and an interval is rounded by


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second, and so many at once after a pause."""

    per_s: float
    burst: int = 1

    def __post_init__(self) -> None:
        if not (self.per_s > 0 and math.isfinite(self.per_s) and self.burst >= 1):
            raise ValueError("a rate is above 0 a second, and its burst is 1 or more")

    def take(self, full_s: float, now_s: float) -> float | None:
        """Take a token from a bucket that is full again at `full_s`.

        Returns:
            When the bucket is full after that, or None if it holds no token.
        """
        # The generic cell rate algorithm: a token bucket in one number.
        later_s = max(full_s, now_s) + 1.0 / self.per_s
        return later_s if later_s - now_s <= self.burst / self.per_s + _ROUNDING_S else None

    def wait_s(self, full_s: float, now_s: float) -> float:
        """Return how long it takes until the bucket holds a token again; 0: it does."""
        wait_s = full_s - (self.burst - 1) / self.per_s - now_s
        return wait_s if wait_s > _ROUNDING_S else 0.0


class RateLimit:
    """One bucket: for a route."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._full_s = -math.inf

    def admits(self, now_s: float) -> bool:
        """Tell whether one more may happen now, and count it if so."""
        full_s = self._rate.take(self._full_s, now_s)
        if full_s is None:
            return False
        self._full_s = full_s
        return True

    def wait_s(self, now_s: float) -> float:
        """Return how long it takes until one more may happen; 0: it may."""
        return self._rate.wait_s(self._full_s, now_s)


class ClientRateLimits:
    """A bucket for each client, for a bounded number of them.

    When there are more, the one that was longest not seen is forgotten and may start afresh; so a
    flood from many addresses costs no memory, and is for the route's own limit to stop.
    """

    def __init__(self, rate: Rate, max_clients: int) -> None:
        self._rate = rate
        self._max_clients = max_clients
        # The client seen last is the last one. A plain dictionary is slow to tell its first.
        self._full_s: OrderedDict[bytes, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_s)

    def admits(self, client: bytes, now_s: float) -> bool:
        """Tell whether this client may do one more now, and count it if so."""
        buckets = self._full_s
        before_s = buckets.pop(client, -math.inf)
        after_s = self._rate.take(before_s, now_s)
        buckets[client] = before_s if after_s is None else after_s
        if len(buckets) > self._max_clients:
            buckets.popitem(last=False)
        return after_s is not None
