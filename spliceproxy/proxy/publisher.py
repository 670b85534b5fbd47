"""What a worker tells of itself once a second, in its row of the shared table."""

import os
import time
from collections.abc import Sequence

import trio

from spliceproxy.ipc.rows import Kind, WorkerCell, WorkerState, bucket
from spliceproxy.kernel.pipes import PipePool, PipeStatistics
from spliceproxy.loop.reactor import Reactor
from spliceproxy.observe.tally import Tally
from spliceproxy.proxy.frontend import Frontend
from spliceproxy.proxy.worker_mirrors import WorkerMirrors

INTERVAL_S = 1.0
_NO_PIPES = PipeStatistics(0, 0, 0)
_SLICE = 500
"""Connections looked at in one go, at about 1 us each: traffic waits no longer for it."""


class Publisher:
    """Publishes the heartbeat, the pipes, what mirrors hold, what open connections have moved."""

    def __init__(
        self,
        tally: Tally,
        reactor: Reactor,
        pipes: PipePool,
        mirrors: WorkerMirrors,
        frontends: Sequence[Frontend],
        *,
        number: int,
        generation: int,
    ) -> None:
        self._cells = cells = tally.cells(Kind.WORKER)
        self._reactor = reactor
        self._pipes = pipes
        self._mirrors = mirrors
        self._frontends = frontends
        self._batches_before = [0] * len(reactor.batches)
        self._busy_before_s = 0.0
        cells[WorkerCell.PID] = os.getpid()
        cells[WorkerCell.NUMBER] = number
        cells[WorkerCell.GENERATION] = generation
        cells[WorkerCell.STARTED_US] = time.time_ns() // 1000
        self.set_state(WorkerState.SERVING)

    def set_state(self, state: WorkerState) -> None:
        """Say what the worker is about."""
        self._cells[WorkerCell.STATE] = state
        self._beat()

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self._look()
            await trio.sleep(INTERVAL_S)

    def close(self) -> None:
        """Look for the last time, and free the worker's slot."""
        for frontend in self._frontends:
            frontend.counters.look_at_mirrors()
        self._count_batches()
        self.set_state(WorkerState.FREE)

    async def _look(self) -> None:
        self._beat()
        self._count_batches()
        self._count_pipes()
        self._count_mirrors()
        for frontend in self._frontends:
            sessions = list(frontend.sessions)
            for start in range(0, len(sessions), _SLICE):
                frontend.counters.look(sessions[start : start + _SLICE])
                await trio.lowlevel.checkpoint()
            frontend.counters.look_at_mirrors()

    def _beat(self) -> None:
        self._cells[WorkerCell.HEARTBEAT_US] = time.monotonic_ns() // 1000

    def _count_pipes(self) -> None:
        pipes = self._pipes.statistics()
        self._cells[WorkerCell.PIPES_IN_USE] = pipes.in_use
        self._cells[WorkerCell.PIPES_IDLE] = pipes.idle
        self._cells[WorkerCell.PIPES_BYTES] = pipes.capacity_bytes

    def _count_mirrors(self) -> None:
        shared = self._mirrors.shared
        if shared is None:
            pipes, held_bytes, budget_bytes = _NO_PIPES, 0, 0
        else:
            pipes, budget = shared.pipes.statistics(), shared.budget
            held_bytes, budget_bytes = budget.used_bytes, budget.limit_bytes
        self._cells[WorkerCell.MIRROR_PIPES_IN_USE] = pipes.in_use
        self._cells[WorkerCell.MIRROR_PIPES_IDLE] = pipes.idle
        self._cells[WorkerCell.MIRROR_PIPES_BYTES] = pipes.capacity_bytes
        self._cells[WorkerCell.MIRROR_HELD_BYTES] = held_bytes
        self._cells[WorkerCell.MIRROR_BUDGET_BYTES] = budget_bytes

    def _count_batches(self) -> None:
        now, before = list(self._reactor.batches), self._batches_before
        for bits, (many, few) in enumerate(zip(now, before, strict=True)):
            self._cells[WorkerCell.BATCH_BUCKETS + bucket(1 << bits)] += many - few
        self._cells[WorkerCell.BATCHES] += sum(now) - sum(before)
        busy_s = self._reactor.busy_s
        self._cells[WorkerCell.BATCHES_US] += round((busy_s - self._busy_before_s) * 1e6)
        self._batches_before, self._busy_before_s = now, busy_s
