"""What a worker learns of its backends' health a few times a second, and what follows for them."""

import time
from collections.abc import Sequence

import trio

from spliceproxy import reasons
from spliceproxy.loop.reactor import Reactor
from spliceproxy.proxy.frontend import Frontend
from spliceproxy.upstream.pool import BackendPool

INTERVAL_S = 0.25
_SLICE = 200
"""Connections closed in one go, at some 20 us each: traffic waits no longer for it."""


class HealthWatch:
    """Takes over what checks, other workers and operators say of backends.

    Clients that wait may go on then; on routes with `on_down: close` the connections of backends
    that are down end.
    """

    def __init__(
        self, reactor: Reactor, pools: Sequence[BackendPool], frontends: Sequence[Frontend]
    ) -> None:
        self._reactor = reactor
        self._routes = list(zip(pools, frontends, strict=True))

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await trio.sleep(INTERVAL_S)
            self._reactor.refresh_clock()
            for pool, _ in self._routes:
                pool.look(time.monotonic())
            self._reactor.end_batch()
            for pool, frontend in self._routes:
                if pool.closes_lost and pool.has_lost():
                    await self._close_lost(frontend)

    async def _close_lost(self, frontend: Frontend) -> None:
        """Close the connections of backends that are down."""
        sessions = [
            session
            for session in frontend.sessions
            if session.backend is not None and session.backend.health.lost
        ]
        for start in range(0, len(sessions), _SLICE):
            self._reactor.refresh_clock()
            for session in sessions[start : start + _SLICE]:
                session.end_link(reasons.BACKEND_DOWN)
            self._reactor.end_batch()
            await trio.lowlevel.checkpoint()
