"""What a command writes to its standard error, in the log."""

import os
import select
from typing import IO

from structlog.typing import FilteringBoundLogger

from spliceproxy.loop.reactor import Reactor

_READ_BYTES = 64 << 10
_MOST_LINES = 100
"""So many of one command's lines are logged; the rest are read and counted."""

_LAST_READS = 2  # what a pipe of the default size holds, and the end
_LINE_BYTES = 4 << 10


class Complaints:
    """Logs line by line, within a bound, and reads on, so that the command never waits."""

    def __init__(self, reactor: Reactor, stream: IO[bytes], log: FilteringBoundLogger) -> None:
        self._reactor = reactor
        self._stream = stream
        self._fd = stream.fileno()
        self._log = log
        self._lines = 0
        self._rest = b""
        os.set_blocking(self._fd, False)
        reactor.register(self._fd, select.EPOLLIN, self)

    def on_events(self, events: int) -> None:
        """Log whole lines; a line that does not end is cut."""
        try:
            data = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._end()
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines[: max(0, _MOST_LINES - self._lines)]:
            self._tell(line)
        self._lines += len(lines)
        if len(self._rest) > _LINE_BYTES:
            if self._lines < _MOST_LINES:
                self._tell(self._rest)
            self._lines += 1
            self._rest = b""

    def _tell(self, line: bytes) -> None:
        if line.strip():
            text = line[:_LINE_BYTES].decode(errors="backslashreplace")
            self._log.warning("command_stderr", line=text)

    def _end(self) -> None:
        if self._stream.closed:
            return
        if self._lines < _MOST_LINES:
            self._tell(self._rest)
        else:
            self._log.warning("command_stderr_cut", lines=self._lines, logged=_MOST_LINES)
        self._close()

    def finish(self) -> None:
        """Read what is there, when the command has ended; a child of its own may hold on to it."""
        for _ in range(_LAST_READS):
            if self._stream.closed:
                return
            self.on_events(select.EPOLLIN)
        self._end()

    def _close(self) -> None:
        if not self._stream.closed:
            self._reactor.unregister(self._fd)
            self._stream.close()

    def on_crash(self, error: Exception) -> None:
        """Stop listening."""
        self._log.error("internal_error", exc_info=error)
        self._close()
