"""One configuration in effect, and the workers that serve it."""

import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import structlog

from spliceproxy.ipc.rows import Kind, WorkerCell
from spliceproxy.ipc.worker_slots import WorkerSlots
from spliceproxy.kernel.pipes import NoPipeError
from spliceproxy.kernel.refusals import refused
from spliceproxy.master.admin_process_keeper import AdminProcessKeeper
from spliceproxy.master.loader import LoadedConfiguration
from spliceproxy.master.open_listeners import ListenerChange
from spliceproxy.master.sample_keys import SampleKeys
from spliceproxy.master.worker_process import LAST_LINES_S, run_worker
from spliceproxy.master.workers import Assignment, Workers
from spliceproxy.observe.logs import Logs
from spliceproxy.observe.tally import Tally
from spliceproxy.proxy.capacity import fit_routes
from spliceproxy.proxy.prepared import PreparedRoute, make_tls, prepare
from spliceproxy.proxy.worker import Worker
from spliceproxy.settings.log import LogLevel
from spliceproxy.settings.proxy import Settings
from spliceproxy.sinks.checks import directories_of
from spliceproxy.tls.admin_tls import AdminFiles

_PARTS = ("listeners", "backends", "mirrors")  # of all routes, in the start line


@dataclass(frozen=True, slots=True, eq=False)
class Generation:
    """A reload makes a new one; the old one drains."""

    number: int
    settings: Settings
    logs: Logs
    routes: list[PreparedRoute]
    nofile: int
    workers: Workers
    sample_key: bytes = field(repr=False)
    admin_tls: AdminFiles = field(repr=False)
    """What the admin interface is to show; it has it when this generation takes over."""

    @property
    def sockets(self) -> Iterable[socket.socket]:
        """Where its workers accept."""
        return (sock for route in self.routes for sock in route.listening)

    @property
    def mirror_directories(self) -> list[str]:
        """Where its workers write."""
        mirrors = (mirror for route in self.settings.routes for mirror in route.mirrors)
        return [str(directory) for directory in directories_of(mirrors)]

    @property
    def terminates_tls(self) -> bool:
        """Whether a listener speaks TLS."""
        servers = [server for route in self.routes if route.tls for server in route.tls.listen]
        return any(servers)

    def use_tickets(self, secret: bytes) -> None:
        """Give and take session tickets by a secret, in the workers that are forked from now on."""
        for route in self.routes:
            if route.tls is not None:
                route.tls.use_tickets(secret)

    def serve(self, assignment: Assignment, tally: Tally, log_level: LogLevel) -> int:
        """Be one of its workers, in a child; returns the exit status."""
        self.logs.use(tally.cells(Kind.WORKER)[WorkerCell.LOG_LINES_PENDING :])
        try:
            worker = self._make_worker(assignment, tally)
        except (OSError, NoPipeError) as error:
            cause = error.cause if isinstance(error, NoPipeError) else error
            problem = refused("what a worker needs", cause)
            structlog.get_logger().error(
                "worker_not_booted",
                worker=assignment.number,
                reason=problem.message,
                remedy=problem.remedy,
            )
            self.logs.close(LAST_LINES_S)
            return problem.status
        worker.set_log_level(log_level)
        return run_worker(worker, self.settings.drain_timeout_s, assignment.orders, self.logs)

    def _make_worker(self, assignment: Assignment, tally: Tally) -> Worker:
        return Worker(
            self.settings,
            self.routes,
            tally,
            self.logs.access_log,
            self.sample_key,
            number=assignment.number,
            generation=self.number,
            admin_line=assignment.admin_line,
        )

    def describe(self) -> dict[str, Any]:
        """Return what the start line tells."""
        routes = [route.describe() for route in self.routes]
        return {
            "generation": self.number,
            "routes": routes,
            **{part: [one for route in routes for one in route[part]] for part in _PARTS},
            "workers": self.settings.workers,
            "splice": "on" if self.settings.splice else "off",
            "max_connections": sum(route.max_connections for route in self.routes),
            "nofile": self.nofile,
        }


Work = Callable[[Generation, Assignment], int]
"""Be a worker of a generation, in the child; returns the exit status."""


def make_generation(
    number: int,
    loaded: LoadedConfiguration,
    logs: Logs,
    change: ListenerChange,
    slots: WorkerSlots,
    admin: AdminProcessKeeper,
    work: Work,
    sample_keys: SampleKeys,
) -> Generation:
    """Prepare a generation; its workers are not started yet.

    Raises:
        StartProblem: OpenSSL refuses a certificate.
    """
    settings = loaded.settings
    capacity = fit_routes(settings, sum(map(len, change.sockets)) + loaded.key_logs)
    tls = make_tls(settings, loaded.tls, change.entries)
    routes = prepare(settings.routes, loaded.upstreams, change.sockets, capacity, tls)

    def body(assignment: Assignment) -> int:
        return work(generation, assignment)

    workers = Workers(number, settings.workers, slots, admin, body)
    key = sample_keys.choose(loaded.sample_key, settings.routes)
    generation = Generation(
        number, settings, logs, routes, capacity.nofile, workers, key, loaded.admin_tls
    )
    return generation
