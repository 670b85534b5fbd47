"""Where a configuration logs: opened before workers are forked, opened again when told."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic

import structlog
import trio

from spliceproxy.errors import StartProblem
from spliceproxy.observe.access_log import (
    AccessLog,
    LineAccessLog,
    NoAccessLog,
    has_access_log,
)
from spliceproxy.observe.line_buffer import flush_task, plain_loss_line
from spliceproxy.observe.log import configure, loss_line_with, renderer
from spliceproxy.observe.log_file import LogFile
from spliceproxy.observe.open_destination import OpenDestination, open_destination
from spliceproxy.settings.log import AccessLogFormat, AccessLogSettings, LogSettings
from spliceproxy.settings.log_destination import WITH_THE_LOG, LogDestination


class Logs:
    """The log, and the destination that lines of connections have for themselves, if they do."""

    def __init__(
        self, settings: LogSettings, access: AccessLogSettings, before: "Logs | None" = None
    ) -> None:
        """Open what the configuration before, whose logs are still there, has not opened.

        Raises:
            StartProblem: a destination cannot be written to.
        """
        self._settings = settings
        self._access = access
        self._open: dict[LogDestination, OpenDestination] = {}
        opened_before = {} if before is None else before._open
        try:
            for wanted in self._wanted():
                if wanted not in self._open:
                    self._open[wanted] = opened_before.get(wanted) or open_destination(wanted)
        except StartProblem:
            self.close_all_but(before)
            raise

    def _wanted(self) -> list[LogDestination]:
        wanted = [self._settings.to]
        if has_access_log(self._access) and self._access.to != WITH_THE_LOG:
            wanted.append(self._access.to)
        return wanted

    def has_same_destinations(self, other: "Logs") -> bool:
        """Return whether both are written to the same destinations."""
        return self._open.keys() == other._open.keys()

    @property
    def access_log(self) -> AccessLog:
        """Where the lines of connections go."""
        if not has_access_log(self._access):
            return NoAccessLog()
        return LineAccessLog(self._access_format, self._open[self._wanted()[-1]])

    @property
    def _access_format(self) -> AccessLogFormat:
        return self._settings.format if self._access.format == "auto" else self._access.format

    def use(self, counts: memoryview | None = None) -> None:
        """Log there from now on, in this process and in those that it forks; see `count_in`."""
        if counts is not None:
            self.count_in(counts)
        for destination in self._open.values():
            destination.lines.loss_line = self._loss_line(destination)
        configure(self._settings.format, self._settings.level, self._open[self._settings.to])

    def count_in(self, counts: memoryview) -> None:
        """Count lines that wait or are dropped in these cells of this process: see `LineCell`."""
        for destination in self._open.values():
            destination.lines.counts = counts

    def _loss_line(self, destination: OpenDestination) -> Callable[[int], bytes]:
        line_format = self._access_format
        if line_format == "haproxy-tcp":
            return lambda count: destination.framed("warning", plain_loss_line(count))
        return loss_line_with(renderer(line_format, destination))

    @contextmanager
    def reopened(self) -> Iterator[dict[int, int]]:
        """Write what is pending, and go on in the files that have the names now.

        Yields them by their numbers, for processes that log to the same ones: see `go_on_in`.
        """
        self.write()
        with ExitStack() as on_exit:
            opened: dict[int, int] = {}
            for number, file in enumerate(self._files()):
                fd = _reopen(file)
                if fd is not None:
                    on_exit.callback(os.close, fd)
                    opened[number] = fd
            yield opened

    def go_on_in(self, number: int, fd: int | None) -> None:
        """Write what is pending, and go on in a file that another process has opened again.

        None: it has got lost on its way here, for want of a descriptor (unix(7)).
        """
        self.write()
        file = self._files()[number]
        if fd is None:
            _complain(file, os.strerror(errno.EMFILE))
            return
        file.go_on_in(fd)
        os.close(fd)

    def _files(self) -> list[LogFile]:
        opened = (destination.file for destination in self._open.values())
        return [file for file in opened if file is not None]

    def unwritten(self) -> list[int]:
        """Return the descriptors that must have room before `write` can go on."""
        return [
            destination.lines.wait_fd
            for destination in self._open.values()
            if destination.lines.pending_bytes
        ]

    def write(self) -> None:
        """Write what the readers take now; for a process without a task that does."""
        for destination in self._open.values():
            destination.lines.flush()

    async def flush(self) -> None:
        """Write the lines until cancelled; see `flush_task`."""
        async with trio.open_nursery() as nursery:
            for destination in self._open.values():
                nursery.start_soon(flush_task, destination.lines)

    def close(self, timeout_s: float = 0.0) -> None:
        """Write what the readers take within the timeout; the rest is lost, and so is the log."""
        deadline_s = monotonic() + timeout_s
        for destination in self._open.values():
            destination.lines.close(max(0.0, deadline_s - monotonic()))

    def close_all_but(self, kept: "Logs | None") -> None:
        """Close the destinations that the other configuration does not have."""
        for name, destination in self._open.items():
            if kept is None or name not in kept._open:
                lost = destination.lines.close()
                if lost:
                    structlog.get_logger().warning("log_lines_dropped", to=str(name), count=lost)


def _reopen(file: LogFile) -> int | None:
    try:
        return file.reopen()
    except OSError as error:
        _complain(file, error.strerror or str(error))
        return None


def _complain(file: LogFile, why: str) -> None:
    structlog.get_logger().error("log_not_reopened", file=file.path, error=why)
