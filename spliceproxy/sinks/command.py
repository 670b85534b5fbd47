"""`exec:` mirrors: the stream on the standard input of a command, one process for each stream."""

import contextlib
import errno
import os
import select
import subprocess
from concurrent.futures import Future

import structlog

from spliceproxy.pump import reason
from spliceproxy.pump.reactor import Reactor
from spliceproxy.sinks.branch import Branch
from spliceproxy.sinks.disk import Disk
from spliceproxy.sinks.queue import write_queue

_STDERR_BYTES = 64 << 10
"""So much of what a command complains about is logged; the rest is read and dropped."""


class CommandOutlet:
    """Starts the command in a thread, since fork(2) takes a millisecond, and feeds it.

    The end of the stream is the end of its input. How it ends, its status and what it wrote to
    its standard error are logged; its standard output goes nowhere.
    """

    def __init__(self, branch: Branch, reactor: Reactor, disk: Disk) -> None:
        self._branch = branch
        self._reactor = reactor
        self._process: subprocess.Popen[bytes] | None = None
        self._stdin_fd: int | None = None
        self._watched = False
        self._finishing = False
        self._cut = False
        self._log = structlog.get_logger().bind(mirror=branch.settings.text)
        disk.submit(self._start, self._started)

    def _start(self) -> "subprocess.Popen[bytes]":
        """In a thread."""
        return subprocess.Popen(  # noqa: S603 - the user's own command, without a shell
            self._branch.settings.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,  # a terminal's Ctrl-C is ours to handle, not the command's
        )

    def _started(self, job: "Future[subprocess.Popen[bytes]]") -> None:
        error = job.exception()
        if error is not None:
            if not isinstance(error, OSError):
                raise error
            name = errno.errorcode.get(error.errno or 0, "error").lower()
            self._cut = True
            self._branch.fail(f"command_{name}")
            self._branch.closed()
            return
        self._process = job.result()
        assert self._process.stdin is not None and self._process.stderr is not None  # noqa: S101, PT018
        self._stdin_fd = self._process.stdin.fileno()
        os.set_blocking(self._stdin_fd, False)
        Complaints(self._reactor, self._process.stderr.fileno(), self._log)
        CommandEnd(self._reactor, self._process, self)
        if self._cut:
            self._kill()
        else:
            self.flush()

    def flush(self) -> None:
        """Write what the command takes now."""
        if self._stdin_fd is not None and not self._watched:
            self._write()

    def finish(self, *, clean: bool) -> None:
        """Close its input when the queue is empty; the command's end is the branch's."""
        self._finishing = True
        if self._stdin_fd is not None and not self._branch.queue:
            self._close_stdin()

    def cut(self) -> None:
        """Kill the command."""
        self._cut = True
        if self._process is not None:
            self._kill()

    def on_events(self, events: int) -> None:
        """The command takes more, or has closed its input."""
        self._write()

    def on_crash(self, error: Exception) -> None:
        """Give the branch up."""
        self._branch.fail(f"internal_error: {error}")

    def _write(self) -> None:
        if self._stdin_fd is None:
            return
        try:
            write_queue(self._branch, self._stdin_fd)
        except OSError as error:
            self._close_stdin()
            self._branch.fail(reason.name_error("command", error.errno or 0))
            return
        if self._branch.queue:
            if not self._watched:
                self._reactor.register(self._stdin_fd, select.EPOLLOUT, self)
                self._watched = True
        elif self._finishing:
            self._close_stdin()
        elif self._watched:
            self._unwatch()

    def _unwatch(self) -> None:
        if self._watched and self._stdin_fd is not None:
            self._reactor.unregister(self._stdin_fd)
            self._watched = False

    def _close_stdin(self) -> None:
        self._unwatch()
        self._stdin_fd = None
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
        self._close_stdin()

    def ended(self, status: int) -> None:
        """The command has ended and is reaped."""
        self._close_stdin()
        log = self._log.warning if status else self._log.info
        log("command_ended", status=status, killed_by_us=self._cut)
        if status and not self._cut:
            self._branch.reason = self._branch.reason or f"command_status_{status}"
        elif self._branch.open or self._branch.queue:
            self._branch.reason = self._branch.reason or "command_ended"
        self._branch.closed()


class CommandEnd:
    """Waits for a process by its pidfd (pidfd_open(2)), and reaps it."""

    def __init__(
        self, reactor: Reactor, process: "subprocess.Popen[bytes]", outlet: CommandOutlet
    ) -> None:
        self._reactor = reactor
        self._process = process
        self._outlet = outlet
        self._fd = os.pidfd_open(process.pid)
        reactor.register(self._fd, select.EPOLLIN, self)

    def on_events(self, events: int) -> None:
        """The process has ended."""
        self._reactor.unregister(self._fd)
        os.close(self._fd)
        self._outlet.ended(self._process.wait())

    def on_crash(self, error: Exception) -> None:
        """Give the branch up."""
        self._outlet.on_crash(error)


class Complaints:
    """Logs what a command writes to its standard error, line by line, up to a bound."""

    def __init__(
        self, reactor: Reactor, fd: int, log: "structlog.typing.FilteringBoundLogger"
    ) -> None:
        self._reactor = reactor
        self._fd = os.dup(fd)
        self._log = log
        self._left_bytes = _STDERR_BYTES
        self._rest = b""
        os.set_blocking(self._fd, False)
        reactor.register(self._fd, select.EPOLLIN, self)

    def on_events(self, events: int) -> None:
        """Log whole lines."""
        try:
            data = os.read(self._fd, _STDERR_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._tell(self._rest)
            self._close()
            return
        data, self._left_bytes = data[: self._left_bytes], self._left_bytes - len(data)
        self._left_bytes = max(0, self._left_bytes)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._tell(line)

    def _tell(self, line: bytes) -> None:
        if line.strip():
            self._log.warning("command_stderr", line=line.decode(errors="backslashreplace"))

    def _close(self) -> None:
        self._reactor.unregister(self._fd)
        os.close(self._fd)

    def on_crash(self, error: Exception) -> None:
        """Stop listening."""
        self._log.error("internal_error", exc_info=error)
        self._close()
