"""The log places of a configuration: opened before workers are forked, opened again when told."""

import os
from collections.abc import Callable
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
from spliceproxy.observe.lines import flush_task, plain_loss_line
from spliceproxy.observe.log import configure, loss_line_with, renderer
from spliceproxy.observe.log_file import LogFile
from spliceproxy.observe.log_places import OpenPlace, open_place
from spliceproxy.settings.log import AccessLogFormat, AccessLogSettings, LogSettings
from spliceproxy.settings.log_place import WITH_THE_LOG, LogPlace


class Logs:
    """The log, and the place that lines of connections have for themselves, if they do."""

    def __init__(
        self, settings: LogSettings, access: AccessLogSettings, before: "Logs | None" = None
    ) -> None:
        """Open what the configuration before, whose logs are still there, has not opened.

        Raises:
            StartProblem: a place cannot be written to.
        """
        self._settings = settings
        self._access = access
        self._places: dict[LogPlace, OpenPlace] = {}
        opened_before = {} if before is None else before._places
        try:
            for place in self._wanted():
                if place not in self._places:
                    self._places[place] = opened_before.get(place) or open_place(place)
        except StartProblem:
            self.close_all_but(before)
            raise

    def _wanted(self) -> list[LogPlace]:
        wanted = [self._settings.to]
        if has_access_log(self._access) and self._access.to != WITH_THE_LOG:
            wanted.append(self._access.to)
        return wanted

    def has_same_places(self, other: "Logs") -> bool:
        """Return whether both are written to the same places."""
        return self._places.keys() == other._places.keys()

    @property
    def access_log(self) -> AccessLog:
        """Where the lines of connections go."""
        if not has_access_log(self._access):
            return NoAccessLog()
        return LineAccessLog(self._access_format, self._places[self._wanted()[-1]])

    @property
    def _access_format(self) -> AccessLogFormat:
        return self._settings.format if self._access.format == "auto" else self._access.format

    def use(self) -> None:
        """Log there from now on, in this process and in those that it forks."""
        for place in self._places.values():
            place.lines.loss_line = self._loss_line(place)
        configure(self._settings.format, self._settings.level, self._places[self._settings.to])

    def _loss_line(self, place: OpenPlace) -> Callable[[int], bytes]:
        line_format = self._access_format
        if line_format == "haproxy-tcp":
            return lambda count: place.framed("warning", plain_loss_line(count))
        return loss_line_with(renderer(line_format, place))

    def reopen(self) -> None:
        """Write what is pending, and go on in the files that have the names now."""
        self.write()
        for place in self._places.values():
            if place.file is not None:
                _reopen(place.file)

    def unwritten(self) -> list[int]:
        """Return the descriptors that must have room before `write` can go on."""
        return [place.lines.wait_fd for place in self._places.values() if place.lines.pending_bytes]

    def write(self) -> None:
        """Write what the readers take now; for a process without a task that does."""
        for place in self._places.values():
            place.lines.flush()

    async def flush(self) -> None:
        """Write the lines until cancelled; see `flush_task`."""
        async with trio.open_nursery() as nursery:
            for place in self._places.values():
                nursery.start_soon(flush_task, place.lines)

    def close(self, timeout_s: float = 0.0) -> None:
        """Write what the readers take within the timeout; the rest is lost, and so is the log."""
        deadline_s = monotonic() + timeout_s
        for place in self._places.values():
            place.lines.close(max(0.0, deadline_s - monotonic()))

    def close_all_but(self, kept: "Logs | None") -> None:
        """Close the places that the other configuration does not have."""
        for name, place in self._places.items():
            if kept is None or name not in kept._places:
                lost = place.lines.close()
                if lost:
                    structlog.get_logger().warning("log_lines_dropped", to=str(name), count=lost)


def _reopen(file: LogFile) -> None:
    try:
        file.reopen()
    except OSError as error:
        why = os.strerror(error.errno or 0)
        structlog.get_logger().error("log_not_reopened", file=file.path, error=why)
