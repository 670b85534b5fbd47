"""Active health checks of the backends of all routes, each in its time."""

import time
from collections.abc import Sequence

import structlog
import trio

from spliceproxy.reasons import INTERNAL_ERROR
from spliceproxy.settings.health import HealthCheckSettings
from spliceproxy.upstream.backend import Backend
from spliceproxy.upstream.pool import BackendPool
from spliceproxy.upstream.probe import probe

MOST_AT_ONCE = 16
"""Each has a descriptor, which is in the reserve of `spliceproxy.kernel.limits`."""

_LONGEST_SLEEP_S = 0.2  # so that a backend that has just come is checked soon
_SHORTEST_SLEEP_S = 0.01


class Checker:
    """Checks the backends of the pools that want it.

    One worker does that for all; the others check those whose health is not shared.
    """

    def __init__(self, pools: Sequence[BackendPool], *, for_all: bool = True) -> None:
        self._for_all = for_all
        self._pools = [pool for pool in pools if pool.check is not None]
        self._known: set[Backend] = set()
        self._under_way: set[Backend] = set()
        self._limit = trio.CapacityLimiter(MOST_AT_ONCE)
        self._scope = trio.CancelScope()

    async def run(self) -> None:
        """Check again and again, until stopped."""
        if not self._pools:
            return
        with self._scope:
            async with trio.open_nursery() as nursery:
                while True:
                    sleep_s = self._start_due(nursery)
                    await trio.sleep(sleep_s)

    def stop(self) -> None:
        """Check no longer, as another worker does; checks that are under way count for nothing."""
        self._scope.cancel()

    def _start_due(self, nursery: trio.Nursery) -> float:
        """Start those checks that are due; returns after how many seconds to look again."""
        now_s = time.monotonic()
        self._spread(now_s)
        next_s = now_s + _LONGEST_SLEEP_S
        for pool in self._pools:
            assert pool.check is not None  # noqa: S101
            for backend in self._mine(pool):
                if backend in self._under_way:
                    continue
                due_s = backend.health.check_due_s()
                if due_s <= now_s:
                    self._under_way.add(backend)
                    nursery.start_soon(self._check, backend, pool.check)
                else:
                    next_s = min(next_s, due_s)
        return max(next_s - now_s, _SHORTEST_SLEEP_S)

    def _mine(self, pool: BackendPool) -> list[Backend]:
        return [one for one in pool.backends if self._for_all or not one.health.is_shared]

    def _spread(self, now_s: float) -> None:
        """Let backends that come together be checked one after the other in their interval.

        All at once they would meet a machine that is busy with a start, on this side and at
        backends that share one, and be late for that. The jitter keeps them apart from then on.
        """
        intervals_s = {
            backend: pool.check.interval_s
            for pool in self._pools
            for backend in self._mine(pool)
            if pool.check is not None
        }
        come = [
            backend
            for backend in intervals_s
            if backend not in self._known and backend.health.check_due_s() <= now_s
        ]
        for number, backend in enumerate(come):
            backend.health.check_at(now_s + intervals_s[backend] * number / len(come))
        self._known = set(intervals_s)

    async def _check(self, backend: Backend, check: HealthCheckSettings) -> None:
        async with self._limit:
            try:
                error = await probe(backend, check)
            except Exception as problem:  # one backend's check must not end those of the others
                structlog.get_logger().error(
                    "internal_error", backend=backend.state.name, exc_info=problem
                )
                error = INTERNAL_ERROR
        self._under_way.discard(backend)
        if not self._scope.cancel_called:  # else another checker knows better by now
            backend.health.checked(error)
