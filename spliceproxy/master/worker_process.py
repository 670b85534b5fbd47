"""A forked worker: its one Trio program, from fork to exit."""

import contextlib
import gc
import signal
import socket
from collections.abc import AsyncIterator

import structlog
import trio

from spliceproxy import reasons
from spliceproxy.errors import ExitStatus
from spliceproxy.ipc import control
from spliceproxy.observe.logs import Logs
from spliceproxy.proxy.worker import Worker

_COLLECT_AFTER_ALLOCATIONS = 20_000  # CPython's 700 cost 1.5 % of a busy worker's time
LAST_LINES_S = 1.0  # so long a log reader that has stalled may hold up the exit


def run_worker(worker: Worker, drain_timeout_s: float, orders: socket.socket, logs: Logs) -> int:
    """Serve until told to stop; returns the exit status."""
    # What is there at the start lives until the end: no use in looking at it again and again.
    # Connections untie their own cycles, so the collector finds next to nothing among them.
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER_ALLOCATIONS)
    try:
        trio.run(WorkerProcess(worker, drain_timeout_s, orders, logs).main)
    finally:
        logs.close(LAST_LINES_S)
    return ExitStatus.OK


class WorkerProcess:
    """Follows the master's orders, and the signals that somebody may send to the worker alone."""

    def __init__(
        self, worker: Worker, drain_timeout_s: float, orders: socket.socket, logs: Logs
    ) -> None:
        self._worker = worker
        self._drain_timeout_s = drain_timeout_s
        self._orders = orders
        self._logs = logs
        self._nursery: trio.Nursery

    async def main(self) -> None:
        """Serve; ends when the worker has no connection left after a drain, or at once."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            with trio.open_signal_receiver(signal.SIGTERM, signal.SIGQUIT) as signals:
                nursery.start_soon(self._logs.flush)
                nursery.start_soon(self._follow_orders)
                nursery.start_soon(self._follow_signals, signals)
                async with trio.open_nursery() as serving:
                    await serving.start(self._worker.run)
                    with contextlib.suppress(OSError):  # the master is gone: see _follow_orders
                        self._orders.send(control.READY)
                nursery.cancel_scope.cancel()

    async def _follow_orders(self) -> None:
        self._orders.setblocking(False)
        while True:
            await trio.lowlevel.wait_readable(self._orders)
            try:
                order, fds, _, _ = socket.recv_fds(
                    self._orders, control.MAX_MESSAGE_BYTES, 1, socket.MSG_CMSG_CLOEXEC
                )
            except ConnectionResetError:  # the master died before it had read all of ours
                order, fds = control.GONE, []
            timeout_s = control.drain_timeout_s(order)
            level = control.parse_log_level(order)
            log_file = control.parse_reopen_log(order)
            tickets = control.parse_tickets(order)
            if level is not None:
                self._worker.set_log_level(level)
            elif log_file is not None:
                self._logs.go_on_in(log_file, fds[0] if fds else None)
            elif tickets is not None:
                self._worker.use_tickets(tickets)
            elif order == control.STOP:
                self._stop()
            else:
                self._drain(self._drain_timeout_s if timeout_s is None else timeout_s)
            if order == control.GONE:
                return

    async def _follow_signals(self, signals: AsyncIterator[int]) -> None:
        async for number in signals:
            if number == signal.SIGQUIT:
                self._stop()
            else:
                self._drain(self._drain_timeout_s)

    def _drain(self, timeout_s: float) -> None:
        """Drain; of several orders the one with the nearest deadline is met."""
        self._nursery.start_soon(self._drain_within, timeout_s)

    async def _drain_within(self, timeout_s: float) -> None:
        reset = await self._worker.drain_within(timeout_s)
        if reset:
            structlog.get_logger().warning("drain_deadline", connections_reset=reset)

    def _stop(self) -> None:
        self._worker.drain(take_backlog=False)
        self._worker.reset_all(reasons.STOPPED)
