"""The master's view of a forked process: a worker, or one that loads a file."""

import contextlib
import os
import signal
import socket
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NoReturn

from spliceproxy.errors import ExitStatus
from spliceproxy.ipc import control
from spliceproxy.kernel.child_end import ChildEnd
from spliceproxy.master.polling import is_readable
from spliceproxy.master.signals import CAUGHT
from spliceproxy.master.stack_file import StackFile

OWN_PIDS: set[int] = set()
"""Of the children that somebody here will reap; PID 1 has others, see `orphans`."""


@dataclass(slots=True, eq=False)
class Child:
    """A process, and the line to it."""

    number: int
    pid: int
    end: ChildEnd
    orders: socket.socket
    slot: int = 0
    """Of its rows in the shared table."""
    ready: bool = False
    hung: bool = False
    """Whether it was killed for that."""
    stack: StackFile | None = None
    started_s: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        OWN_PIDS.add(self.pid)

    def order(self, message: bytes, *fds: int) -> None:
        """Send an order, with descriptors; a process that is dying needs none."""
        with contextlib.suppress(OSError):  # one that is stopped reads none
            socket.send_fds(self.orders, [message], fds, socket.MSG_DONTWAIT)

    def hear(self) -> bytes:
        """Take a message; `control.GONE` when it is gone, whatever it left unread."""
        try:
            return self.orders.recv(control.MAX_MESSAGE_BYTES)
        except OSError:  # ECONNRESET: it died with an order unread
            return control.GONE

    def forget(self) -> None:
        """Close the descriptors that stand for it; nobody here will reap it any more."""
        OWN_PIDS.discard(self.pid)
        self.end.close()
        self.orders.close()
        if self.stack is not None:
            self.stack.close()

    def has_ended(self, timeout_s: float = 0.0) -> bool:
        """Return whether it has, by now or within the timeout, so that `reap` need not wait."""
        return is_readable(self.end.fd, timeout_s)

    def send(self, number: int) -> None:
        """Send it a signal. Nobody else can have its process id before it is reaped."""
        os.kill(self.pid, number)

    def reap(self) -> int:
        """Collect the exit code when it has ended; negative: the signal's number."""
        _, status = os.waitpid(self.pid, 0)
        self.forget()
        return os.waitstatus_to_exitcode(status)


def fork_child(
    number: int,
    body: Callable[[socket.socket], int],
    kind: socket.SocketKind = socket.SOCK_SEQPACKET,
) -> Child:
    """Fork a process that runs ``body`` and exits with what it returns.

    The line to it keeps messages apart, unless another kind is asked for.

    Only for a process without threads: a child has none of them, but all their locks.

    Raises:
        OSError: there are no processes, descriptors or memory; nothing is left behind.
    """
    end = ChildEnd()
    try:
        ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    except BaseException:
        end.close()
        raise
    # Until the child has handlers of its own, a signal to the whole group would reach the
    # master's pipe from both, and be counted twice.
    old_mask = signal.pthread_sigmask(signal.SIG_BLOCK, CAUGHT)
    try:
        pid = _fork()
        if pid == 0:
            end.stay_in_child()
            _run_child(ours, theirs, body, old_mask)
        theirs.close()
        _watch(end, pid)
        return Child(number, pid, end, ours)
    except BaseException:
        end.close()
        ours.close()
        theirs.close()
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old_mask)


def _fork() -> int:
    try:
        return os.fork()
    except OSError as error:  # told with the call's name: nothing else does
        raise OSError(error.errno, f"fork(2): {error.strerror}") from None


def _watch(end: ChildEnd, pid: int) -> None:
    try:
        end.watch(pid)
    except OSError:  # a child that cannot be watched is not kept
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise


def _run_child(
    ours: socket.socket,
    theirs: socket.socket,
    body: Callable[[socket.socket], int],
    mask: Iterable[int],
) -> NoReturn:
    status: int = ExitStatus.INTERNAL
    try:
        signal.set_wakeup_fd(-1)
        # Terminals and service managers send these to all processes; the master turns them into
        # orders. A worker that runs has handlers for those that somebody may send to it alone.
        for number in CAUGHT:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        ours.close()
        status = body(theirs)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)
