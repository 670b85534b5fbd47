"""Signals as bytes in a pipe, so that one poll waits for them and for everything else."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

CAUGHT = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1)


@contextmanager
def signals_to_pipe() -> Iterator[int]:
    """Catch the master's signals; yields the descriptor that a signal's number arrives at."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    before = {number: signal.signal(number, lambda *_: None) for number in CAUGHT}
    old_wakeup_fd = signal.set_wakeup_fd(writer)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(old_wakeup_fd)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)
