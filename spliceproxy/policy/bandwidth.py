"""How many bytes may pass: a steady rate, after a short burst."""

from spliceproxy.policy.rate import Meter

_BURST_S = 0.1
"""Time that is made up for. Timers are up to 10 ms late, and a batch of events takes its time."""
_ROUNDING_S = 1e-9  # of a meter's time, lest a byte is missing
_HELPING_S = 0.020
_HELPING_BYTES = 16 << 10


class Bandwidth:
    """A token bucket of bytes, full at first: what passes in t seconds is (t + 0.1 s) * rate."""

    __slots__ = ("_burst_bytes", "_left_bytes", "_rate_bytes_s", "_seen_s", "helping_bytes")

    def __init__(self, bytes_per_s: int, now_s: float) -> None:
        self._rate_bytes_s = bytes_per_s
        self._burst_bytes = max(1.0, bytes_per_s * _BURST_S)
        self._left_bytes = self._burst_bytes
        self._seen_s = now_s
        self.helping_bytes = max(1, min(_HELPING_BYTES, int(bytes_per_s * _HELPING_S)))
        """Fewer bytes are not worth a system call."""

    def available(self, now_s: float) -> int:
        """Return how many bytes may pass now: none, or enough to be worth it."""
        self._refill(now_s)
        return int(self._left_bytes) if self._left_bytes >= self.helping_bytes else 0

    def spend(self, count: int) -> None:
        """Note that bytes have passed, or that bytes set aside have not (a negative count)."""
        self._left_bytes -= count

    def wait_s(self, now_s: float) -> float:
        """Return for how long to wait until a fifth of a burst may pass."""
        self._refill(now_s)
        wanted = max(1.0, self._rate_bytes_s * _HELPING_S)
        return max(0.0, wanted - self._left_bytes) / self._rate_bytes_s

    def _refill(self, now_s: float) -> None:
        passed_s = max(0.0, now_s - self._seen_s)
        self._seen_s = max(now_s, self._seen_s)
        left_bytes = self._left_bytes + passed_s * self._rate_bytes_s
        self._left_bytes = min(self._burst_bytes, left_bytes)


class MeteredBandwidth(Bandwidth):
    """One that others use up too: a meter tells how much is left of it."""

    __slots__ = ("_meter",)

    def __init__(self, bytes_per_s: int, now_s: float, meter: Meter) -> None:
        super().__init__(bytes_per_s, now_s)
        self._meter = meter

    def spend(self, count: int) -> None:
        """Note that bytes have passed, or that bytes set aside have not (a negative count)."""
        self._meter.take(count / self._rate_bytes_s, self._seen_s)

    def _refill(self, now_s: float) -> None:
        self._seen_s = now_s
        used_s = max(0.0, self._meter.full_s() - now_s - _ROUNDING_S)
        self._left_bytes = self._burst_bytes - used_s * self._rate_bytes_s
