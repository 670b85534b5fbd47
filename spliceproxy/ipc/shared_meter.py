"""A token bucket of all workers, as one time: when it will be full again.

That is the generic cell rate algorithm. Whoever takes tokens moves the time on by what these cost
at the rate; where it lies ahead by no more than the burst, there is one left. The time is a start,
common to all, and the sum of what each worker has taken. So what two take at the same moment counts
twice, and is made up for; only the start, which is set when the bucket was full, may be set by two.
"""

from spliceproxy.ipc.rows import CommonKind
from spliceproxy.ipc.shared_count import SharedCount
from spliceproxy.ipc.shared_table import SharedTable

_NS = 1e9


class SharedMeter:
    """What has been taken of a bucket, in seconds of `time.monotonic`, the same in all processes.

    The cells of a worker that has died count on: what it let through has passed.
    """

    def __init__(self, table: SharedTable, slot: int, *labels: str) -> None:
        self._taken_ns = SharedCount(table, slot, CommonKind.METER, labels)
        self._start_ns = self._taken_ns.common

    def full_s(self) -> float:
        """Return when the bucket is full again, or was."""
        full_ns: int = self._start_ns[0] + self._taken_ns.total()
        return full_ns / _NS

    def take(self, seconds: float, now_s: float) -> None:
        """Take tokens that the rate makes up for in so many seconds; less than 0 gives back."""
        now_ns = int(now_s * _NS)
        taken_ns = self._taken_ns.total()
        if self._start_ns[0] + taken_ns < now_ns:
            self._start_ns[0] = now_ns - taken_ns  # a pause saves up no more than the burst
        self._taken_ns.own += round(seconds * _NS)
