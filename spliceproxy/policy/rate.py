"""How often something may happen: a steady rate, with bursts."""

import math
from dataclasses import dataclass
from typing import Protocol

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


class Meter(Protocol):
    """A token bucket as one time, which others may use up too."""

    def full_s(self) -> float:
        """Return when it is full again, or was."""

    def take(self, seconds: float, now_s: float) -> None:
        """Take what is made up for in so many seconds; less than 0 gives back."""


class RateLimit:
    """One bucket: for a route."""

    def __init__(self, rate: Rate, meter: Meter) -> None:
        self._rate = rate
        self._meter = meter

    def admits(self, now_s: float) -> bool:
        """Tell whether one more may happen now, and count it if so."""
        if self._rate.take(self._meter.full_s(), now_s) is None:
            return False
        self._meter.take(1.0 / self._rate.per_s, now_s)
        return True

    def wait_s(self, now_s: float) -> float:
        """Return how long it takes until one more may happen; 0: it may."""
        return self._rate.wait_s(self._meter.full_s(), now_s)


class Buckets(Protocol):
    """Keeps for each client when its token bucket is full again."""

    def full_s(self, client: bytes) -> float:
        """Return when it is, or was; any time that is over for a client that is not known."""

    def note(self, client: bytes, full_s: float) -> None:
        """Keep when it will be."""


class ClientRateLimits:
    """A bucket for each client."""

    def __init__(self, rate: Rate, buckets: Buckets) -> None:
        self._rate = rate
        self._buckets = buckets

    def admits(self, client: bytes, now_s: float) -> bool:
        """Tell whether this client may do one more now, and count it if so."""
        full_s = self._rate.take(self._buckets.full_s(client), now_s)
        if full_s is None:
            return False
        self._buckets.note(client, full_s)
        return True
