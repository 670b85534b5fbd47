"""What commands write to their standard error, and how they end, in the log."""

import math
import os
import select
import time
from typing import IO

import structlog

from spliceproxy.loop.line_sums import LineSums
from spliceproxy.loop.reactor import Reactor
from spliceproxy.policy.rate import Rate

_READ_BYTES = 64 << 10
_MOST_LINES = 100
"""So many of one command's lines are logged; the rest are read and counted."""
_RATE = Rate(per_s=10.0, burst=_MOST_LINES)
"""Of all commands of a mirror, of which each connection may start one."""
_CUT_REMEDY = "have the command say less, or write to a file of its own"
_ENDED_REMEDY = "see command_stderr, and run the command by hand"

_LAST_READS = 2  # what a pipe of the default size holds, and the end
_LINE_BYTES = 4 << 10


class MirrorComplaints:
    """What the log is told of one mirror's commands, within a bound for all of them."""

    def __init__(self, reactor: Reactor, mirror: str) -> None:
        self.sums = LineSums(reactor.timers, mirror=mirror)
        self._log = structlog.get_logger().bind(mirror=mirror)
        self._full_s = -math.inf  # when all lines may be told again

    def tell(self, line: bytes) -> None:
        """Log what a command says, or count it."""
        full_s = _RATE.take(self._full_s, time.monotonic())
        if full_s is not None:
            self._full_s = full_s
            text = line[:_LINE_BYTES].decode(errors="backslashreplace")
            self._log.warning("command_stderr", line=text)
        else:
            self.cut()

    def cut(self) -> None:
        """Count a line that is not logged."""
        self.sums.warn("command_stderr_cut", {"remedy": _CUT_REMEDY})

    def ended(self, status: int, *, killed: bool) -> None:
        """Tell how a command has ended; each that ends well, and failures together."""
        if status and not killed:
            labels = {"status": status, "killed": killed, "remedy": _ENDED_REMEDY}
            self.sums.warn("command_ended", labels)
        else:
            self._log.info("command_ended", status=status, killed=killed)


class Complaints:
    """Logs line by line, within a bound, and reads on, so that the command never waits."""

    def __init__(self, reactor: Reactor, stream: IO[bytes], mirror: MirrorComplaints) -> None:
        self._reactor = reactor
        self._stream = stream
        self._fd = stream.fileno()
        self._mirror = mirror
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
        for line in lines:
            self._tell(line)
        if len(self._rest) > _LINE_BYTES:
            self._tell(self._rest)
            self._rest = b""

    def _tell(self, line: bytes) -> None:
        if not line.strip():
            return
        self._lines += 1
        if self._lines <= _MOST_LINES:
            self._mirror.tell(line)
        else:
            self._mirror.cut()

    def _end(self) -> None:
        if self._stream.closed:
            return
        self._tell(self._rest)
        self._rest = b""
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
        self._mirror.sums.crashed(error)
        self._close()
