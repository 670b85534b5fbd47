"""Signals as bytes in a pipe, so that one poll waits for them and for everything else."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from spliceproxy.kernel.refusals import is_allowed

CAUGHT = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1)
_MOST_AT_ONCE = 64  # what is left is read the next time


@contextmanager
def signals_to_pipe() -> Iterator[int]:
    """Catch the master's signals; yields the descriptor that a signal's number arrives at.

    On leaving they are ignored: a process that is on its way out, as it was told, has no use for
    being told again, and its exit status is to say how it ended.
    """
    reader, writer = _make_line()
    for number in CAUGHT:
        signal.signal(number, lambda *_: None)
    old_wakeup_fd = signal.set_wakeup_fd(writer)
    try:
        yield reader
    finally:
        for number in CAUGHT:
            signal.signal(number, signal.SIG_IGN)
        signal.set_wakeup_fd(old_wakeup_fd)
        os.close(reader)
        os.close(writer)


def _make_line() -> tuple[int, int]:
    """Make a pipe; where there is none, a socket pair, which holds hundreds of signals too."""
    if is_allowed("pipe2"):
        return os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    return reader.detach(), writer.detach()


def caught_signals(reader: int) -> list[signal.Signals]:
    """Return the signals that have arrived since the last time, in their order."""
    try:
        return [signal.Signals(number) for number in os.read(reader, _MOST_AT_ONCE)]
    except BlockingIOError:
        return []
