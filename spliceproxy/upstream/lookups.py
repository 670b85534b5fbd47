"""Looking backends up again, each as often as it makes sense."""

import structlog
import trio

from spliceproxy.errors import StartProblem
from spliceproxy.upstream.group import Group, find_group
from spliceproxy.upstream.pool import BackendPool
from spliceproxy.upstream.resolver import Resolver

INTERVAL_S = 30.0
"""Where neither the settings nor a name server says how long an answer is valid."""

_SHORTEST_S, _LONGEST_S = 1.0, 3600.0


class Lookups:
    """Keeps the backends of a route what their names stand for."""

    def __init__(
        self, pool: BackendPool, groups: list[Group], resolver: Resolver, interval_s: float | None
    ) -> None:
        self._pool = pool
        self._groups = groups
        self._resolver = resolver
        self._interval_s = interval_s

    async def run(self) -> None:
        """Look up again and again, until cancelled."""
        async with trio.open_nursery() as nursery:
            for number, group in enumerate(self._groups):
                if group.changes:
                    nursery.start_soon(self._keep, number, group)

    async def _keep(self, number: int, group: Group) -> None:
        log = structlog.get_logger()
        wait_s = self.interval_s(group)
        while True:
            await trio.sleep(wait_s)
            try:
                group = await trio.to_thread.run_sync(
                    find_group, group.settings, self._resolver, abandon_on_cancel=True
                )
            except (StartProblem, RuntimeError) as error:  # RuntimeError: no thread to be had
                log.warning("lookup_failed", backend=str(group.settings.address), error=str(error))
                wait_s = min(wait_s, INTERVAL_S)  # however long the last answer was valid
                continue
            self._pool.replace(number, group)
            wait_s = self.interval_s(group)

    def interval_s(self, group: Group) -> float:
        """Tell for how long an answer is believed."""
        if self._interval_s is not None:
            return self._interval_s
        if group.valid_s is None:
            return INTERVAL_S
        return min(max(group.valid_s, _SHORTEST_S), _LONGEST_S)
