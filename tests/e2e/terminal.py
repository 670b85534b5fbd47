"""Programs that draw on a terminal."""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from types import TracebackType
from typing import Self

import pytest

TIMEOUT_S = 30.0


class Terminal:
    """A program on a terminal, and all that it has drawn."""

    def __init__(self, *command: str) -> None:
        pid, self._fd = pty.fork()
        if pid == 0:
            os.environ["TERM"] = "xterm"
            os.execv(command[0], command)
        self._pid = pid
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("4H", 40, 140, 0, 0))
        self.drawn = ""

    def wait(self, *texts: str) -> None:
        deadline_s = time.monotonic() + TIMEOUT_S
        while not all(text in self.drawn for text in texts):
            left_s = deadline_s - time.monotonic()
            assert left_s > 0, f"not drawn: {texts}; but {self.drawn!r}"
            if select.select([self._fd], [], [], left_s)[0]:
                try:
                    self.drawn += os.read(self._fd, 65536).decode(errors="replace")
                except OSError:
                    pytest.fail(f"it has ended: {self.drawn!r}")

    def press(self, keys: str) -> None:
        self.drawn = ""
        os.write(self._fd, keys.encode())

    def wait_exit(self) -> int:
        """Read on until the program has ended, and return its status."""
        deadline_s = time.monotonic() + TIMEOUT_S
        while select.select([self._fd], [], [], max(0.0, deadline_s - time.monotonic()))[0]:
            try:
                self.drawn += os.read(self._fd, 65536).decode(errors="replace")
            except OSError:  # nobody has the terminal open any more
                _, status = os.waitpid(self._pid, 0)
                self._pid = 0
                return os.waitstatus_to_exitcode(status)
        pytest.fail(f"it has not ended: {self.drawn!r}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        os.close(self._fd)
