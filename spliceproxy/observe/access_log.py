"""The lines of connections: rendered in the form that is asked for, and sent there."""

from collections.abc import Callable
from typing import Protocol

import structlog

from spliceproxy.observe.access_json import json_renderer
from spliceproxy.observe.connection import ConnectionRecord
from spliceproxy.observe.haproxy_line import CountOpen, render_haproxy_tcp
from spliceproxy.observe.log import renderer, resolve_format, stamp
from spliceproxy.observe.open_destination import OpenDestination
from spliceproxy.settings.log import AccessLogFormat, AccessLogSettings
from spliceproxy.settings.log_destination import NOWHERE, WITH_THE_LOG

Tell = Callable[[ConnectionRecord], None]
"""Takes the record of a connection that has ended."""


class AccessLog(Protocol):
    """Where the lines of connections go."""

    def teller(self, worker: int, generation: int, count_open: CountOpen) -> Tell:
        """Return what takes the records of a worker's connections."""


class NoAccessLog:
    """Nowhere."""

    def teller(self, worker: int, generation: int, count_open: CountOpen) -> Tell:
        """Return what forgets them."""
        return forget


def access_log_of_program(access: AccessLogSettings) -> AccessLog:
    """Return where the lines go in a program that has set up structlog itself."""
    return StructlogAccessLog() if has_access_log(access) else NoAccessLog()


def has_access_log(access: AccessLogSettings) -> bool:
    """Return whether anything is told of connections."""
    return access.to != NOWHERE


def follows_log(access: AccessLogSettings) -> bool:
    """Return whether connections are told of in the log, and so only where its level has them."""
    return access.to == WITH_THE_LOG


def forget(_record: ConnectionRecord) -> None:
    """Tell nobody."""


class StructlogAccessLog:
    """To structlog, as the embedding program has configured it."""

    def teller(self, worker: int, generation: int, count_open: CountOpen) -> Tell:
        """Return what logs them."""
        log = structlog.get_logger().bind()

        def tell(record: ConnectionRecord) -> None:
            log.info("connection", worker=worker, generation=generation, **record.line())

        return tell


class LineAccessLog:
    """To a buffer of lines, which a worker's task writes."""

    def __init__(self, line_format: AccessLogFormat, destination: OpenDestination) -> None:
        self._format = line_format
        self._destination = destination

    def teller(self, worker: int, generation: int, count_open: CountOpen) -> Tell:
        """Return what renders and buffers them."""
        write, destination = self._destination.lines.write, self._destination
        if self._format == "haproxy-tcp":
            return lambda record: write(
                destination.framed("info", render_haproxy_tcp(record, count_open(record)))
            )
        if resolve_format(self._format, destination) == "console":
            return self._console_teller(worker)
        render = json_renderer(worker, generation)
        if destination.frame is None:
            return lambda record: write(render(record))
        return lambda record: write(destination.framed("info", render(record)))

    def _console_teller(self, worker: int) -> Tell:
        render = renderer("console", self._destination)

        def tell(record: ConnectionRecord) -> None:
            event = {"event": "connection", "worker": worker, **record.line()}
            self._destination.lines.write(render(None, "info", stamp(None, "info", event)))

        return tell
