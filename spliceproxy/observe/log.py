"""The log: one structlog pipeline that ends in a buffer which no writer ever waits for.

Every module logs with `structlog.get_logger()`. Where a line is logged for each connection, keep
what its `bind()` returns: that decides in 0.3 µs that a level is off, and get_logger() in 1.5.

The master writes each line at once. A worker leaves that to `lines.flush_task` while it runs,
except for errors: the worker may not live to come back to that task.
"""

import os
from collections.abc import Callable
from typing import Any

import structlog
from structlog.typing import EventDict

from spliceproxy.formats.timestamps import timestamp
from spliceproxy.observe.json_lines import encode_json
from spliceproxy.observe.levels import FollowingLogger, set_level
from spliceproxy.observe.line_buffer import LineBuffer
from spliceproxy.observe.open_destination import OpenDestination
from spliceproxy.settings.log import LogFormat, LogLevel

Renderer = Callable[[Any, str, EventDict], bytes]


class LineLogger:
    """The far end of the pipeline: a method per level, each taking a rendered line."""

    def __init__(self) -> None:
        self.buffer: LineBuffer | None = None

    def line(self, line: bytes) -> None:
        """Take a line; it leaves at once only where no task is there to flush it."""
        if self.buffer is not None:
            self.buffer.write(line)
            if not self.buffer.has_flush_task:
                self.buffer.flush()

    def urgent_line(self, line: bytes) -> None:
        """Take a line, and write it now if the reader has room."""
        if self.buffer is not None:
            self.buffer.write(line)
            self.buffer.flush()

    debug = info = warning = line
    error = critical = urgent_line


# One for the life of the process, so that loggers which were bound before a fork stay right.
_line_logger = LineLogger()


def _forget_lines_of_parent() -> None:
    if _line_logger.buffer is not None:
        _line_logger.buffer.forget()


os.register_at_fork(after_in_child=_forget_lines_of_parent)


def configure(log_format: LogFormat, level: LogLevel, destination: OpenDestination) -> None:
    """Set up the log of this process, and of those that it forks, whose buffers start empty.

    What `bind()` has returned before follows.
    """
    render = renderer(log_format, destination)
    destination.lines.loss_line = loss_line_with(render)
    _line_logger.buffer = destination.lines
    set_level(level)
    structlog.configure(
        processors=[stamp, render],
        wrapper_class=FollowingLogger,
        logger_factory=lambda *_: _line_logger,
        cache_logger_on_first_use=False,
    )


def log_always(level: str, event: str, **details: object) -> None:
    """Log a line whatever level is in force, and write it now if the reader has room."""
    # As the methods of a level would, but past `set_level`, which replaces those.
    structlog.get_logger().bind()._proxy_to_logger(level, event, **details)
    if _line_logger.buffer is not None:
        _line_logger.buffer.flush()


def stamp(_logger: object, level: str, event_dict: EventDict) -> EventDict:
    """Put the time, the level and the event's name before all other keys."""
    event = event_dict.pop("event")
    return {"timestamp": timestamp(), "level": level, "event": event, **event_dict}


def renderer(log_format: LogFormat, destination: OpenDestination) -> Renderer:
    """Return what makes lines of events, as they are sent to a destination."""
    is_json = resolve_format(log_format, destination) == "json"
    render = render_json if is_json else _console_renderer(colors=destination.is_terminal)
    if destination.frame is None:
        return render
    return lambda logger, level, event: destination.framed(level, render(logger, level, event))


def resolve_format(log_format: LogFormat, destination: OpenDestination) -> LogFormat:
    """Return what 'auto' stands for at a destination."""
    if log_format == "auto":
        return "console" if destination.is_terminal else "json"
    return log_format


def _console_renderer(*, colors: bool) -> Renderer:
    console = structlog.dev.ConsoleRenderer(
        colors=colors and not os.environ.get("NO_COLOR"),
        sort_keys=False,
        exception_formatter=structlog.dev.plain_traceback,
    )

    def render_console(logger: Any, level: str, event_dict: EventDict) -> bytes:
        return f"{console(logger, level, event_dict)}\n".encode(errors="backslashreplace")

    return render_console


def render_json(logger: Any, level: str, event_dict: EventDict) -> bytes:
    """Return one line of JSON; line breaks within a text, as in a traceback, are escaped."""
    if "exc_info" in event_dict:
        event_dict = structlog.processors.format_exc_info(logger, level, event_dict)
    return f"{encode_json(event_dict)}\n".encode()


def loss_line_with(render: Renderer) -> Callable[[int], bytes]:
    """Return what makes the line that stands where lines are missing."""

    def loss_line(count: int) -> bytes:
        event = {"event": "log_lines_dropped", "count": count, "pid": os.getpid()}
        return render(None, "warning", stamp(None, "warning", event))

    return loss_line
