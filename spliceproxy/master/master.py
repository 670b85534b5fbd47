"""The master: forks workers, and waits for signals and for the dead.

It is synchronous and without threads, since a process that runs Trio can't fork a child that
runs it too. A worker forked from it shares its memory and costs a few MiB.
"""

import os
import signal
import socket
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import structlog

from spliceproxy.errors import ExitStatus
from spliceproxy.ipc.master_line import DRAIN, LOG_LEVEL, RELOAD
from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.ipc.worker_slots import WorkerSlots
from spliceproxy.kernel.inherited import InheritedSockets
from spliceproxy.master.admin_process_keeper import AdminProcessKeeper, Doors
from spliceproxy.master.departure import Departure
from spliceproxy.master.describe import ProxyDescriber
from spliceproxy.master.difference import describe_difference, needs_restart
from spliceproxy.master.generation import Generation, make_generation
from spliceproxy.master.generations import Generations
from spliceproxy.master.hang_watch import HangWatch
from spliceproxy.master.loader import (
    LoadedConfiguration,
    LoaderProcess,
    ReloadRefused,
    load_hidden,
)
from spliceproxy.master.log_reopening import reopen_logs
from spliceproxy.master.open_listeners import ListenerChange, OpenListeners
from spliceproxy.master.orphans import collect_orphans
from spliceproxy.master.polling import wait
from spliceproxy.master.privileges import Privileges
from spliceproxy.master.reload import Reloader
from spliceproxy.master.sample_keys import SampleKeys
from spliceproxy.master.service_report import ServiceReport
from spliceproxy.master.signals import caught_signals
from spliceproxy.master.tls_keeper import TlsKeeper
from spliceproxy.master.workers import Assignment
from spliceproxy.observe.levels import set_level
from spliceproxy.observe.logs import Logs
from spliceproxy.observe.service_manager import ServiceManager
from spliceproxy.observe.tally import Tally
from spliceproxy.settings.log import LogLevel
from spliceproxy.settings.proxy import Settings


class Master:
    """Has one generation that accepts, older ones that drain, and at times one to come."""

    def __init__(
        self,
        source: Callable[[], Settings] | None,
        inherited: InheritedSockets,
        listeners: OpenListeners,
        doors: Doors,
        table: SharedTable,
        manager: ServiceManager,
        signal_fd: int,
        logs: Logs,
        privileges: Privileges,
    ) -> None:
        self._source = source
        self._inherited = inherited
        self._listeners = listeners
        self._table = table
        self._slots = WorkerSlots(table)
        self._keys = SampleKeys()
        self._tls = TlsKeeper(self._forget_all)
        self._privileges = privileges
        confine = privileges.confine_admin_process
        self._admin = AdminProcessKeeper(doors, table, logs, self._forget_others, confine)
        self._describer = ProxyDescriber()
        self._signal_fd = signal_fd
        self.logs = logs
        self._log_level: LogLevel = "info"
        self._hang_watch = HangWatch(self._slots)
        self._report = ServiceReport(manager, table, self._slots)
        self._reloader = Reloader(
            self._start_loader, listeners, self._make_generation, self._take_over, self._refuse
        )
        self._departure = Departure(listeners, self._begin_to_stop)
        self._numbers, self._started = 0, False
        self._log = structlog.get_logger()

    def run(self, loaded: LoadedConfiguration, change: ListenerChange) -> int:
        """Serve until every worker has ended.

        Raises:
            BootProblem: a worker of the first generation ended before it served.
            StartProblem: the system refuses it, or what it needs.
        """
        self._log_level = loaded.settings.log.level
        first = self._make_generation(loaded, change)
        self._generations = Generations(first, self._table, self._forget_all, self._privileges)
        try:
            self._generations.current.workers.start()
            while self._generations.alive:
                self._wait()
                self._follow_signals()  # first: a worker that a signal ended has not failed
                self._departure.tend(self._generations)
                self._generations.tend()
                self._hang_watch.tend(self._generations)
                self._slots.tend()
                self._note_start()
                if self._tls.tend(self._all_generations()):
                    self._want_reload("watch")
                if self._started:
                    self._follow_admin()
                    self._reloader.tend()
                self._report.tend(self._generations)
                collect_orphans()
        except BaseException:
            self._end_all()
            raise
        finally:
            self._admin.stop()
            self._generations.close()
            self._tls.stop()
        self._log.info("stopped")
        return ExitStatus.OK

    def _note_start(self) -> None:
        current = self._generations.current
        if not (self._started or self._departure.is_under_way) and current.workers.all_ready_once:
            self._started = True
            self._log.info("started", **current.describe(), pid=os.getpid())
            self._tls.take_over(current)
            self._report.ready(self._generations)
            self._describe()

    def _make_generation(self, loaded: LoadedConfiguration, change: ListenerChange) -> Generation:
        self._numbers += 1
        logs = Logs(loaded.settings.log, loaded.settings.access_log, self.logs)
        parts = (self._slots, self._admin, self._work, self._keys)
        return self._tls.prepare(make_generation(self._numbers, loaded, logs, change, *parts))

    def _work(self, generation: Generation, assignment: Assignment) -> int:
        """Be a worker: runs in the child."""
        self._forget_others(generation.sockets)
        self._admin.forget()
        for other in self._all_generations():
            other.logs.close_all_but(generation.logs)
        self._privileges.confine_worker(generation.settings)
        return generation.serve(assignment, Tally(self._table, assignment.slot), self._log_level)

    def _forget_others(self, kept: Iterable[socket.socket] = ()) -> None:
        """In a child: close what stands for workers and for the loader, and all other listeners."""
        self._generations.forget()
        self._reloader.forget()
        self._tls.forget()
        self._listeners.forget_all_but(kept)

    def _forget_all(self) -> None:
        self._forget_others()
        self._admin.forget()

    def _describe(self) -> None:
        """Tell the admin process what there is now."""
        current = self._generations.current
        self._admin.describe(
            self._describer.describe(
                current.routes,
                generation=current.number,
                draining=self._departure.is_under_way,
                log_level=self._log_level,
            )
        )

    def _follow_admin(self) -> None:
        for order in self._admin.tend():
            if order["what"] == RELOAD:
                self._want_reload("admin")
            elif order["what"] == LOG_LEVEL:
                self._set_log_level(order["level"])
            elif order["what"] == DRAIN and not self._departure.is_under_way:
                self._drain("admin")

    def _set_log_level(self, level: LogLevel) -> None:
        """Have all processes log at this level, until a reload changes the configured one."""
        self._log_level = level
        set_level(level)
        for generation in self._all_generations():
            generation.workers.set_log_level(level)
        self._log.info("log_level_set", log_level=level)
        self._describe()

    def _all_generations(self) -> Iterator[Generation]:
        """All that have workers, with the one to come."""
        yield from self._generations
        if self._reloader.generation is not None:
            yield self._reloader.generation

    def _wait(self) -> None:
        parts = (self._generations, self._admin, self._reloader, self._tls)
        descriptors = [self._signal_fd, *(fd for part in parts for fd in part.descriptors())]
        deadlines = self._generations.deadlines() + self._tls.deadlines()
        deadlines += [self._report.next_deadline_s, self._admin.next_deadline_s]
        deadlines += [self._hang_watch.next_deadline_s, self._reloader.next_deadline_s]
        deadlines += [self._departure.next_deadline_s]
        wait(descriptors, self.logs.unwritten(), deadlines)
        self.logs.write()

    def _follow_signals(self) -> None:
        for number in caught_signals(self._signal_fd):
            if number == signal.SIGUSR1:
                reopen_logs(self._all_generations(), self._generations.current, self._admin)
            elif number == signal.SIGHUP:
                self._want_reload(number.name)
            elif self._departure.is_under_way or number == signal.SIGQUIT:
                self._departure.stop(self._generations, number.name)
            else:
                self._drain(number.name)

    def _follow_logs(self, logs: Logs) -> None:
        """Log as the new configuration wants it."""
        before, self.logs = self.logs, logs
        logs.use(self._slots.master_row.lines)
        set_level(self._log_level)
        self._admin.log_to(logs)
        before.close_all_but(logs)

    def _drain(self, signal_name: str) -> None:
        """Let connections finish; balancers may have to hear of it first."""
        delay_s = self._generations.current.settings.drain_delay_s if self._started else 0.0
        self._departure.drain(self._generations, signal_name, delay_s)

    def _begin_to_stop(self) -> None:
        self._report.stopping()
        self._describe()
        self._reloader.abandon("the proxy is told to stop")

    def _want_reload(self, signal_name: str) -> None:
        """Reload, if that is possible."""
        if self._source is None:
            why = "there is no file to load: it was started without --config"
            self._log.info("signal_ignored", signal=signal_name, why=why)
        elif self._departure.is_under_way:
            self._log.info("signal_ignored", signal=signal_name, why="it is told to stop")
        else:
            self._reloader.want()

    def _start_loader(self) -> LoaderProcess:
        assert self._source is not None  # noqa: S101 - else nobody wants a reload
        self._log.info("reload_started", generation=self._numbers + 1)
        self._report.reloading()
        used, who = self._generations.mirror_directories, self._privileges.identity
        load = partial(load_hidden, self._source, self._inherited, used, who)
        return LoaderProcess(load, self.logs, self._forget_all)

    def _refuse(self, refused: ReloadRefused, generation: Generation | None) -> None:
        if generation is not None:
            self._generations.refuse(generation)
            generation.logs.close_all_but(self.logs)
        self._log.error("reload_refused", reason=refused.reason, mistakes=list(refused.mistakes))
        self._describer.refused("; ".join([refused.reason, *refused.mistakes]))
        self._describe()
        if not self._departure.is_under_way:
            self._report.ready(self._generations, f"reload refused: {refused.reason}")

    def _take_over(self, new: Generation, change: ListenerChange) -> None:
        """Let the old generation drain: the new one accepts already."""
        old, settings = self._generations.replace(new), new.settings
        self._follow_logs(new.logs)
        self._admin.renew_tls(settings.admin, new.admin_tls)
        if settings.log.level != old.settings.log.level:
            self._set_log_level(settings.log.level)
        told = describe_difference(old.settings, settings, change)
        self._inherited = self._inherited.without(change.inherited_removed)
        old.workers.drain(settings.reload_drain_timeout_s)
        change.commit()
        draining = self._generations.describe_draining()
        self._log.info("reloaded", generation=new.number, **told, **draining)
        self._tls.take_over(new)
        if waiting := needs_restart(old.settings, settings):
            self._log.warning("restart_needed", settings=waiting)
        self._describer.reloaded(hurried=self._generations.hurried)
        self._describe()
        self._report.ready(self._generations)

    def _end_all(self) -> None:
        self._departure.is_under_way = True
        self._reloader.abandon("the proxy ends")
        self._listeners.close()
        self._generations.stop()
        while self._generations.alive:
            self._wait()
            self._generations.tend()
