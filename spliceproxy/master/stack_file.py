"""A worker's stack on request, also when it does not come back to its event loop."""

import faulthandler
import os
import signal
import time
from collections.abc import Callable

from spliceproxy.kernel.memory_file import make_memory_file

SIGNAL = signal.SIGUSR2
_MOST_BYTES = 32 << 10
_STEP_S = 0.01
_STEPS = 50


class StackFile:
    """A file in memory that a worker's stack is written to, made before the worker is forked."""

    def __init__(self) -> None:
        self._fd = make_memory_file("spliceproxy-stack")

    def offer(self) -> None:
        """In the worker: write the stack of all threads there at a signal.

        The handler is C code that asks nothing of the interpreter, so that an endless loop, or a
        call that does not return, can be looked into.
        """
        faulthandler.register(SIGNAL, self._fd, all_threads=True)

    def ask(self, send: Callable[[int], None]) -> list[str]:
        """In the master: have it written, and return its lines; none if nothing came in time.

        `send` sends the worker a signal.

        Waits for half a second at most.
        """
        send(SIGNAL)
        before = b""
        for _ in range(_STEPS):
            time.sleep(_STEP_S)
            now = os.pread(self._fd, _MOST_BYTES, 0)
            if now and now == before:
                break
            before = now
        return before.decode(errors="replace").splitlines()

    def close(self) -> None:
        """Forget it."""
        os.close(self._fd)
