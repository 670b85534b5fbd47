"""The master's view of a forked worker."""

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Child:
    """A worker process, and the line to it."""

    number: int
    pid: int
    pidfd: int
    orders: socket.socket
    ready: bool = False
    started_s: float = field(default_factory=time.monotonic)

    def order(self, message: bytes) -> None:
        """Send an order; a worker that is dying needs none."""
        with contextlib.suppress(OSError):
            self.orders.send(message)

    def reap(self) -> int:
        """Collect the exit code of a worker that has ended; negative: the signal's number."""
        _, status = os.waitpid(self.pid, 0)
        os.close(self.pidfd)
        self.orders.close()
        return os.waitstatus_to_exitcode(status)


def fork_child(number: int, body: Callable[[socket.socket], int]) -> Child:
    """Fork a worker that runs ``body`` and exits with what it returns.

    Only for a process without threads: a child has none of them, but all their locks.
    """
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        _run_child(ours, theirs, body)
    theirs.close()
    return Child(number, pid, os.pidfd_open(pid), ours)


def _run_child(
    ours: socket.socket, theirs: socket.socket, body: Callable[[socket.socket], int]
) -> None:
    status = 70
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1):
            signal.signal(number, signal.SIG_DFL)
        # A terminal sends it to the whole group; the master turns it into an order.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        ours.close()
        status = body(theirs)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(status)
