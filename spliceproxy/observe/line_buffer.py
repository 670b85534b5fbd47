"""Log lines that wait in memory for a slow reader, within a bound, so that no writer waits."""

import select
from collections import deque
from collections.abc import Callable
from time import monotonic

import trio

from spliceproxy.ipc.rows import LineCell
from spliceproxy.observe.log_outlet import LogOutlet

DEFAULT_MAX_BYTES = 8 << 20  # the lines of 20,000 connections that end at once


def plain_loss_line(count: int) -> bytes:
    """Return the line that stands where `count` lines are missing."""
    return b"log_lines_dropped count=%d\n" % count


class LineBuffer:
    """Whole lines on their way to a destination; not for use from several threads.

    Lines leave in chunks as large as the outlet writes at once, so that lines of several processes
    stay whole. A longer line leaves alone.

    What does not fit is dropped and counted. From the first dropped line on nothing is accepted
    until the lines before it and a line with the count have left: a gap is reported once, where
    it is. A reader that has gone away is such a gap, which ends if another one comes.
    """

    def __init__(self, outlet: LogOutlet, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self._outlet = outlet
        self._max_bytes = max_bytes
        self._lines: deque[bytes] = deque()
        self._chunk = b""  # taken from the lines, and not yet written to its end
        self._chunk_lines = 0
        self._chunk_losses = 0  # how many dropped lines the chunk reports
        self._torn = False  # the last thing written is part of a line
        self.pending_bytes = 0
        self.dropped_lines = 0  # and not yet reported
        self.counts = _nobodys_counts()
        """Cells that others may read: see `LineCell`."""
        self.loss_line: Callable[[int], bytes] = plain_loss_line
        self.on_line_after_idle: Callable[[], None] | None = None

    @property
    def has_flush_task(self) -> bool:
        """Whether a task writes the lines; otherwise it is for who wrote one to flush."""
        return self.on_line_after_idle is not None

    @property
    def wait_fd(self) -> int:
        """The descriptor that becomes writable when `flush` may go on."""
        return self._outlet.fd

    def write(self, line: bytes) -> None:
        """Take a line that ends with a newline; neither waits nor fails."""
        idle = not self.pending_bytes
        if self.dropped_lines or self.pending_bytes + len(line) > self._max_bytes:
            self._drop(1)
        else:
            self._lines.append(line)
            self.pending_bytes += len(line)
            self.counts[LineCell.PENDING] += 1
        if idle and self.on_line_after_idle is not None:
            self.on_line_after_idle()

    def flush(self) -> bool:
        """Write what the reader takes now; False when something is left that needs room."""
        while self._chunk or self._take_chunk():
            try:
                sent = self._outlet.send(self._chunk)
            except BlockingIOError:
                return False
            except OSError:  # the reader has gone, the disk is full: not a reason to die
                self._drop_pending()
                return True
            self.pending_bytes -= sent
            self._chunk = self._chunk[sent:]
            self._torn = bool(self._chunk)
            if not self._chunk:
                self.dropped_lines -= self._chunk_losses
                self.counts[LineCell.PENDING] -= self._chunk_lines
        return True

    def close(self, timeout_s: float = 0.0) -> int:
        """Flush until the timeout and return how many lines are lost; later ones are, too."""
        deadline = monotonic() + timeout_s
        room = select.poll()
        if self.wait_fd >= 0:
            room.register(self.wait_fd, select.POLLOUT)
        while not self.flush() and (left_s := deadline - monotonic()) > 0:
            room.poll(left_s * 1000)
        self._drop_pending()
        self._outlet.close()
        return self.dropped_lines

    def forget(self) -> None:
        """Empty the buffer without a trace: after a fork its lines are the parent's to write."""
        self.counts = _nobodys_counts()
        self._lines.clear()
        self._chunk = b""
        self._torn = False
        self.pending_bytes = self.dropped_lines = 0
        self.on_line_after_idle = None

    def _take_chunk(self) -> bool:
        """Take whole lines, or the report of a gap once all lines before it have left."""
        lines, most_bytes = self._lines, self._outlet.chunk_bytes
        self._chunk_losses = self._chunk_lines = 0
        if lines:
            taken = [lines.popleft()]
            size = len(taken[0])
            while lines and size + len(lines[0]) <= most_bytes:
                size += len(lines[0])
                taken.append(lines.popleft())
            self._chunk, self._chunk_lines = b"".join(taken), len(taken)
        elif self.dropped_lines:
            self._chunk_losses = self.dropped_lines
            # A line that was cut short is ended first, so that the report is readable.
            self._chunk = b"\n" * self._torn + self.loss_line(self.dropped_lines)
            self.pending_bytes += len(self._chunk)
        return bool(self._chunk)

    def _drop_pending(self) -> None:
        count = len(self._lines) + (self._chunk_lines if self._chunk else 0)
        self.counts[LineCell.PENDING] -= count
        self._drop(count)
        self._lines.clear()
        self._chunk = b""
        self.pending_bytes = 0

    def _drop(self, count: int) -> None:
        self.dropped_lines += count
        self.counts[LineCell.DROPPED] += count


def _nobodys_counts() -> memoryview:
    return memoryview(bytearray(16)).cast("q")


async def flush_task(buffer: LineBuffer, interval_s: float = 0.05) -> None:
    """Write the buffer's lines until cancelled; asleep while there are none.

    The interval lets lines gather, so that a busy worker writes a page and not a line at a time.
    """
    try:
        while True:
            line_written = trio.Event()
            buffer.on_line_after_idle = line_written.set
            if not buffer.pending_bytes:
                await line_written.wait()
            await trio.sleep(interval_s)
            while not buffer.flush():
                await trio.lowlevel.wait_writable(buffer.wait_fd)
    finally:
        buffer.on_line_after_idle = None
