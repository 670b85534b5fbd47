"""The master: opens the listeners, forks workers, and waits for signals and for the dead.

It is synchronous and without threads, since a process that runs Trio can't fork a child that
runs it too. A worker forked from it shares its memory and costs a few MiB.
"""

import contextlib
import os
import select
import signal
import socket
import time

import structlog

from spliceproxy.errors import ExitStatus
from spliceproxy.kernel.shared_table import SharedTable
from spliceproxy.observe import log
from spliceproxy.observe.lines import LineBuffer
from spliceproxy.observe.rows import TABLE_ROWS
from spliceproxy.observe.tally import Tally
from spliceproxy.proxy.capacity import fit_routes
from spliceproxy.proxy.listening import open_listeners
from spliceproxy.proxy.prepared import PreparedRoute, look_up, prepare
from spliceproxy.proxy.signals import signals_to_pipe
from spliceproxy.proxy.worker import Worker
from spliceproxy.proxy.worker_process import run_worker
from spliceproxy.proxy.workers import Workers
from spliceproxy.settings.options import Settings
from spliceproxy.sinks.audit import report_left_behind

_PARTS = ("listeners", "backends", "mirrors")  # of all routes, in the start line
_LAST_LINES_S = 1.0  # so long a log reader that has stalled may hold up the exit


def supervise(settings: Settings) -> int:
    """Run the proxy until it is told to stop; returns the exit status.

    Raises:
        UsageProblem: a mirror cannot work, such as a directory that is not writable.
        StartProblem: an address cannot be listened on, or a name does not resolve.
        BootProblem: a worker ended before it served.
    """
    lines = log.configure(settings.log.format, settings.log.level)
    with contextlib.ExitStack() as on_exit:
        on_exit.callback(lines.close, _LAST_LINES_S)
        signal_fd = on_exit.enter_context(signals_to_pipe())
        upstreams = look_up(settings.routes)
        for route in settings.routes:
            report_left_behind(route.mirrors)
        listeners = on_exit.enter_context(contextlib.ExitStack())
        listening = listeners.enter_context(open_listeners(settings.routes))
        capacity = fit_routes(settings)
        routes = prepare(settings.routes, upstreams, listening, capacity)
        table = on_exit.enter_context(contextlib.closing(SharedTable(TABLE_ROWS)))
        master = Master(settings, routes, capacity.nofile, table, listeners, signal_fd, lines)
        return master.run()


class Master:
    """Waits for signals and for the workers, and passes the ones on to the others."""

    def __init__(
        self,
        settings: Settings,
        routes: list[PreparedRoute],
        nofile: int,
        table: SharedTable,
        listeners: contextlib.ExitStack,
        signal_fd: int,
        lines: LineBuffer,
    ) -> None:
        self._settings = settings
        self._routes = routes
        self._nofile = nofile
        self._table = table
        self._listeners = listeners
        self._signal_fd = signal_fd
        self._lines = lines
        self._draining = False
        self._log = structlog.get_logger()
        self._workers = Workers(settings.workers, self._work)

    def run(self) -> int:
        """Serve until every worker has ended."""
        told = False
        try:
            self._workers.start()
            while self._workers.alive:
                self._wait()
                self._follow_signals()  # first: a worker that a signal ended has not failed
                self._workers.tend()
                if self._workers.all_ready_once and not told:
                    told = True
                    self._tell_started()
        except BaseException:
            self._end_all()
            raise
        self._log.info("stopped")
        return ExitStatus.OK

    def _work(self, number: int, orders: socket.socket) -> int:
        """Be a worker: runs in the child."""
        worker = Worker(self._settings, self._routes, Tally(self._table, number), number=number)
        return run_worker(worker, self._settings.drain_timeout_s, orders, self._lines)

    def _wait(self) -> None:
        poll = select.poll()
        for fd in (self._signal_fd, *self._workers.descriptors()):
            poll.register(fd, select.POLLIN)
        deadline_s = self._workers.next_deadline_s()
        if deadline_s is None:
            poll.poll()
        else:
            poll.poll(max(0.0, deadline_s - time.monotonic()) * 1000)

    def _follow_signals(self) -> None:
        with contextlib.suppress(BlockingIOError):
            for number in os.read(self._signal_fd, 64):
                self._follow_signal(signal.Signals(number))

    def _follow_signal(self, number: signal.Signals) -> None:
        if number in (signal.SIGHUP, signal.SIGUSR1):
            self._log.info("signal_ignored", signal=number.name, why="no reload, no file to reopen")
        elif self._draining or number == signal.SIGQUIT:
            self._draining = True
            self._log.warning("stopping_at_once", signal=number.name)
            self._listeners.close()
            self._workers.stop()
        else:
            self._draining = True
            timeout_s = self._settings.drain_timeout_s
            self._log.info("draining", signal=number.name, drain_timeout_s=timeout_s)
            # First the workers, which take what waits in the backlog: the last holder of a
            # listening socket to close it resets what is left there.
            self._workers.drain(timeout_s)
            self._listeners.close()

    def _end_all(self) -> None:
        self._listeners.close()
        self._workers.stop()
        while self._workers.alive:
            self._wait()
            self._workers.tend()

    def _tell_started(self) -> None:
        routes = [route.describe() for route in self._routes]
        self._log.info(
            "started",
            routes=routes,
            **{part: [one for route in routes for one in route[part]] for part in _PARTS},
            workers=self._settings.workers,
            splice="on" if self._settings.splice else "off",
            max_connections=sum(route.max_connections for route in self._routes),
            nofile=self._nofile,
            pid=os.getpid(),
        )
