"""The workers of one generation: forked, watched, replaced when they die."""

import contextlib
import signal
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from spliceproxy.errors import BootProblem, ExitStatus, StartProblem
from spliceproxy.ipc import control
from spliceproxy.ipc.losses import Losses
from spliceproxy.ipc.master_row import cause_of_end
from spliceproxy.ipc.worker_slots import WorkerSlots
from spliceproxy.kernel.refusals import told_as
from spliceproxy.master.admin_process_keeper import AdminProcessKeeper
from spliceproxy.master.child import Child, fork_child
from spliceproxy.master.polling import is_readable
from spliceproxy.master.stack_file import StackFile
from spliceproxy.policy.backoff import Backoff
from spliceproxy.settings.log import LogLevel

_RESTART = Backoff(first_s=0.1, longest_s=10.0)
_STABLE_S = 30.0  # a worker that lived so long starts the back-off anew
_OWN_SIGNAL_S = 0.2
"""So long after a worker has ended well, and untold, the master may learn that it is to end, too.

A signal to the whole process group has reached the master before a worker can have ended by it:
exit(2) waits for kill(2) to be done with the group (both take the kernel's tasklist_lock). Who
sends it to one process after the other takes some milliseconds."""
_STOP_GRACE_S = 5.0  # what a worker that is told to stop at once may take before it is killed


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a worker gets when it is forked."""

    number: int
    slot: int
    """Of its rows in the shared table."""
    orders: socket.socket
    """The line to the master."""
    admin_line: socket.socket | None
    """The line to the admin process; None where there is none."""


@dataclass(frozen=True, slots=True)
class _End:
    """How a worker has ended."""

    child: Child
    exit_code: int
    losses: Losses
    judge_s: float = 0.0


Body = Callable[[Assignment], int]
"""Be a worker, in the child; returns the exit status."""


class Workers:
    """Keeps ``count`` workers alive until they are told to end."""

    def __init__(
        self,
        generation: int,
        count: int,
        slots: WorkerSlots,
        admin: AdminProcessKeeper,
        body: Body,
    ) -> None:
        self._body = body
        self._count = count
        self._slots = slots
        self._admin = admin
        self._children: dict[int, Child] = {}
        self._restarts: dict[int, float] = {}
        self._failures: dict[int, int] = {}
        self._unjudged: list[_End] = []
        self._ending = False
        self._kill_s: float | None = None
        self._log = structlog.get_logger(generation=generation)
        self.all_ready_once = False

    def start(self) -> None:
        """Fork them all.

        Raises:
            StartProblem: the system refuses one.
        """
        for number in range(self._count):
            with told_as(f"a process for worker {number}"):
                self._fork(number)

    @property
    def alive(self) -> bool:
        """Whether a worker lives, or will again."""
        return bool(self._children or self._restarts or self._unjudged)

    @property
    def children(self) -> list[Child]:
        """Those that live."""
        return list(self._children.values())

    def descriptors(self) -> list[int]:
        """What to poll for: a worker's end, and its first word."""
        awaited = [child.end.fd for child in self._children.values()]
        return awaited + [c.orders.fileno() for c in self._children.values() if not c.ready]

    def next_deadline_s(self) -> float | None:
        """When `tend` has something to do, whatever the descriptors say."""
        deadlines = [*self._restarts.values(), *(end.judge_s for end in self._unjudged)]
        if self._kill_s is not None:
            deadlines.append(self._kill_s)
        return min(deadlines, default=None)

    def tend(self) -> None:
        """Hear who is ready, bury the dead, replace those whose time has come.

        Raises:
            BootProblem: a worker ended before all of them had accepted for the first time.
            StartProblem: it did so since the system refused what it needs.
        """
        for child in list(self._children.values()):
            if not child.ready and is_readable(child.orders.fileno()):
                child.ready = child.hear() == control.READY
                if child.ready and self.all_ready_once:
                    self._log.info("worker_restarted", worker=child.number, pid=child.pid)
            if child.has_ended():
                self._bury(child)
        now_s = time.monotonic()
        while self._unjudged and self._unjudged[0].judge_s <= now_s:
            self._judge(self._unjudged.pop(0))
        for number in [n for n, due_s in self._restarts.items() if due_s <= now_s]:
            del self._restarts[number]
            self._restart(number)
        if self._kill_s is not None and self._kill_s <= now_s:
            self._kill_s = None
            for child in self._children.values():
                child.send(signal.SIGKILL)
        if len(self._children) == self._count and all(c.ready for c in self._children.values()):
            self.all_ready_once = True

    def drain(self, timeout_s: float) -> None:
        """Tell all to let their connections finish within the timeout, and replace none."""
        self._end(control.drain(timeout_s), timeout_s + _STOP_GRACE_S)

    def reopen_logs(self, files: Mapping[int, int]) -> None:
        """Have all go on in these files of the log."""
        for child in self._children.values():
            for number, fd in files.items():
                child.order(control.reopen_log(number), fd)

    def stop(self) -> None:
        """Tell all to end at once."""
        self._end(control.STOP, _STOP_GRACE_S)

    def set_log_level(self, level: LogLevel) -> None:
        """Have all log what is of this level or above."""
        for child in self._children.values():
            child.order(control.log_level(level))

    def use_tickets(self, secret: bytes) -> None:
        """Have all give and take session tickets of TLS by a secret."""
        for child in self._children.values():
            child.order(control.use_tickets(secret))

    def _end(self, order: bytes, kill_after_s: float) -> None:
        """Give an order; a worker that does not follow it in time is killed."""
        self._ending = True
        kill_s = time.monotonic() + kill_after_s
        self._kill_s = kill_s if self._kill_s is None else min(kill_s, self._kill_s)
        self._restarts.clear()
        for child in self._children.values():
            child.order(order)
        while self._unjudged:
            self._judge(self._unjudged.pop())

    def forget(self) -> None:
        """In a child: close what stands for the others.

        Held open there, it would hide the master's death from them.
        """
        for child in self._children.values():
            child.forget()

    def _restart(self, number: int) -> None:
        try:
            self._fork(number)
        except OSError as error:  # out of processes, memory or descriptors: the others live on
            self._log.error("worker_not_restarted", worker=number, error=str(error))
            self._restart_later(number)

    def _restart_later(self, number: int) -> None:
        self._failures[number] = self._failures.get(number, 0) + 1
        delay_s = _RESTART.delay_s(self._failures[number])
        self._restarts[number] = time.monotonic() + delay_s

    def _fork(self, number: int) -> None:
        slot = self._slots.take()
        try:
            self._children[number] = self._fork_at(slot, number)
        except OSError:
            self._leave(slot)
            raise

    def _fork_at(self, slot: int, number: int) -> Child:
        """Fork a worker, which gets its rows, a file for its stack, and a line to be asked by."""

        def be_worker(orders: socket.socket) -> int:
            stack.offer()
            return self._body(Assignment(number, slot, orders, admin_line))

        stack = StackFile()
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(stack.close)
            admin_line = self._admin.open_line(slot)
            # The worker has it by the fork, and nobody else keeps it.
            with admin_line or contextlib.nullcontext():
                child = fork_child(number, be_worker)
            on_failure.pop_all()
        child.slot, child.stack = slot, stack
        return child

    def _leave(self, slot: int) -> Losses:
        """Give back what a worker has had; returns what it has left unfinished."""
        self._admin.close_line(slot)
        return self._slots.free(slot)

    def _bury(self, child: Child) -> None:
        del self._children[child.number]
        code = child.reap()
        end = _End(child, code, self._leave(child.slot), time.monotonic() + _OWN_SIGNAL_S)
        if code or self._ending:
            self._judge(end)
        else:
            self._unjudged.append(end)

    def _judge(self, end: _End) -> None:
        """Tell of an end that was not wanted, and have another worker take its place.

        Raises:
            BootProblem: see `tend`.
        """
        child, code = end.child, end.exit_code
        if code or end.losses or not self._ending:
            log = self._log.error if code or not self._ending else self._log.warning
            told = {**_why(code), **end.losses.describe()}
            log("worker_exited", worker=child.number, pid=child.pid, **told)
        if self._ending:
            return
        self._slots.master_row.worker_lost(cause_of_end(code, hung=child.hung))
        if not self.all_ready_once:
            problem = StartProblem if code == ExitStatus.START else BootProblem
            raise problem(
                f"worker {child.number} ended before it accepted connections ({_why(code)})",
                "see the log lines above",
            )
        if time.monotonic() - child.started_s >= _STABLE_S:
            self._failures[child.number] = 0
        if child.hung:  # it has served for long enough to be no endless loop of restarts
            self._restarts[child.number] = time.monotonic()
        else:
            self._restart_later(child.number)


def _why(exit_code: int) -> dict[str, str | int]:
    if exit_code < 0:
        return {"signal": signal.Signals(-exit_code).name}
    return {"status": exit_code}
