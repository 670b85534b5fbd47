"""The master's keeping of the admin process: forked, told what there is, replaced when it dies.

Each worker has a line to it: a pair of sockets that the master makes before it forks the worker,
which has one end. The master hands the other end to the admin process, and keeps it for the next
one, so that a worker does not notice when the admin process is replaced.
"""

import contextlib
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeAlias

import structlog
import trio

from spliceproxy.errors import ExitStatus, Problem
from spliceproxy.ipc.description import Description
from spliceproxy.ipc.master_line import MasterLine
from spliceproxy.ipc.master_row import MasterRow
from spliceproxy.ipc.packets import MAX_PACKET_BYTES, Message, decode, make_line
from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.master.child import Child, fork_child
from spliceproxy.observe.logs import Logs
from spliceproxy.policy.backoff import Backoff
from spliceproxy.settings.admin import AdminSettings
from spliceproxy.tls.admin_tls import AdminFiles

if TYPE_CHECKING:
    from spliceproxy.admin.process import AnyDoor

_RESTART = Backoff(first_s=0.5, longest_s=30.0)
_STABLE_S = 60.0  # an admin process that lived so long starts the back-off anew
_LAST_LINES_S = 1.0
_LAST_ANSWERS_S = 1.0  # after a reload that moves the log

Doors: TypeAlias = Sequence["AnyDoor"]
Told = ParamSpec("Told")


class AdminProcessKeeper:
    """Has an admin process run as long as there are doors, with a line to each worker."""

    def __init__(
        self,
        doors: Doors,
        table: SharedTable,
        logs: Logs,
        forget: Callable[[], None],
        confine: Callable[[], None],
    ) -> None:
        """In the child `forget` closes what is not its business, and `confine` gives up rights."""
        self._doors = doors
        self._table = table
        self._row = MasterRow(table)
        self._logs = logs
        self._forget_others = forget
        self._confine = confine
        self._lines: dict[int, socket.socket] = {}  # by the workers' slots
        self._description: Description | None = None
        self._child: Child | None = None
        self._failures = 0
        self._restart_s: float | None = None
        self._replace_s: float | None = None
        self._log = structlog.get_logger()

    def open_line(self, slot: int) -> socket.socket | None:
        """Make a worker's line and hand it to the admin process; returns the worker's end.

        None where there are no doors, and so no admin process.

        Raises:
            OSError: there are no descriptors for the line.
        """
        if not self._doors:
            return None
        self._lines[slot], workers_end = make_line()
        self._tell(MasterLine.add_worker, slot, self._lines[slot])
        return workers_end

    def close_line(self, slot: int) -> None:
        """Take note that a worker has ended."""
        line = self._lines.pop(slot, None)
        if line is not None:
            line.close()
            self._tell(MasterLine.remove_worker, slot)

    def forget(self) -> None:
        """In a child that is another process: close what stands for the admin process."""
        self._forget_lines()
        for door in self._doors:
            door.sock.close()
        if self._child is not None:
            self._child.forget()

    def _forget_lines(self) -> None:
        for line in self._lines.values():
            line.close()

    def describe(self, description: Description) -> None:
        """Tell what the proxy is set up to do now; starts the admin process."""
        self._description = description
        if self._doors and self._child is None and self._restart_s is None:
            self._start()
        else:
            self._tell(MasterLine.describe, description)

    def log_to(self, logs: Logs) -> None:
        """Log there; if that is elsewhere, it takes another process.

        The one that there is has to answer first whoever has ordered the change.
        """
        if self._child is not None and not logs.has_same_destinations(self._logs):
            self._replace_s = time.monotonic() + _LAST_ANSWERS_S
        self._logs = logs

    def renew_tls(self, admin: AdminSettings, tls: AdminFiles) -> None:
        """Show certificates that a reload has read; if they are others, it takes another process.

        The one that there is has to answer first whoever has ordered the reload.
        """
        if not self._doors:
            return
        # Late: HTTP and metrics are 15 MB that nobody else has a use for.
        from spliceproxy.master.admin_doors import renew_tls

        try:
            is_renewed = renew_tls(self._doors, admin, tls)
        except (Problem, OSError) as problem:  # the loader has tried it: what is short is memory
            self._log.error("admin_tls_not_renewed", error=str(problem))
            return
        if is_renewed:
            self._log.info("admin_tls_renewed")
            if self._child is not None:
                self._replace_s = time.monotonic() + _LAST_ANSWERS_S

    def reopen_logs(self, files: Mapping[int, int]) -> None:
        """Have the admin process go on in these files of the log.

        One that is about to be replaced logs elsewhere, and the next one has them anyway.
        """
        if self._replace_s is None:
            for number, fd in files.items():
                self._tell(MasterLine.reopen_log, number, fd)

    def descriptors(self) -> list[int]:
        """What to poll for."""
        return [] if self._child is None else [self._child.end.fd, self._child.orders.fileno()]

    @property
    def next_deadline_s(self) -> float | None:
        """When `tend` has something to do, whatever the descriptors say."""
        return min(filter(None, (self._restart_s, self._replace_s)), default=None)

    def tend(self) -> list[Message]:
        """Bury and replace; return the orders that clients have given."""
        if self._restart_s is not None and self._restart_s <= time.monotonic():
            self._restart_s = None
            self._start()
        orders = self._hear()
        if self._child is not None and self._child.has_ended():
            self._bury(self._child)
        if self._replace_s is not None and self._replace_s <= time.monotonic():
            self.stop()
            self._start()
        return orders

    def stop(self) -> None:
        """End the admin process, and wait for that; it has nothing to finish."""
        self._restart_s = self._replace_s = None
        if self._child is not None:
            self._child.send(signal.SIGKILL)
            self._child.reap()
            self._child = None
            self._row.admin_ended()

    def _start(self) -> None:
        self._replace_s = None
        try:
            child = self._child = fork_child(0, self._be_admin_process)
        except OSError as error:  # out of processes or descriptors: traffic goes on
            self._log.error("admin_not_started", error=str(error))
            self._restart_later()
            return
        self._log.info("admin_started", pid=child.pid)
        child.orders.setblocking(False)
        for slot, line in self._lines.items():
            self._tell(MasterLine.add_worker, slot, line)
        if self._description is not None:
            self._tell(MasterLine.describe, self._description)

    def _be_admin_process(self, master: socket.socket) -> int:
        self._forget_others()
        self._forget_lines()  # they come from the master, with their slots
        self._logs.count_in(self._row.admin_lines)
        # Late: HTTP and metrics are 15 MB that nobody else has a use for.
        from spliceproxy.admin.process import AdminProcess

        self._confine()
        try:
            trio.run(AdminProcess(self._doors, self._table, master, self._logs).main)
        finally:
            self._logs.close(_LAST_LINES_S)
        return ExitStatus.OK

    def _hear(self) -> list[Message]:
        orders = []
        if self._child is not None:
            with contextlib.suppress(OSError):
                while packet := self._child.orders.recv(MAX_PACKET_BYTES):
                    orders.append(decode(packet))
        return orders

    def _tell(
        self,
        tell: Callable[Concatenate[MasterLine, Told], None],
        *told: Told.args,
        **more: Told.kwargs,
    ) -> None:
        if self._child is None:
            return
        try:
            tell(MasterLine(self._child.orders), *told, **more)
        except BlockingIOError:  # it hangs: another one knows more
            self._log.error("admin_hangs", pid=self._child.pid)
            self._child.send(signal.SIGKILL)
        except OSError:  # it has ended, or there are no descriptors: see `tend`
            return

    def _bury(self, child: Child) -> None:
        self._child = None
        status = child.reap()
        self._row.admin_ended()
        self._row.admin_lost()
        self._log.error("admin_exited", pid=child.pid, status=status)
        if time.monotonic() - child.started_s >= _STABLE_S:
            self._failures = 0
        self._restart_later()

    def _restart_later(self) -> None:
        self._failures += 1
        self._restart_s = time.monotonic() + _RESTART.delay_s(self._failures)
