"""The log: one structlog pipeline that ends in a buffer which no writer ever waits for.

Every module logs with `structlog.get_logger()`. Where a line is logged for each connection, keep
what its `bind()` returns: that decides in 0.3 µs that a level is off, and get_logger() in 1.5.

The master writes each line at once. A worker leaves that to `lines.flush_task` while it runs,
except for errors: the worker may not live to come back to that task.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from json import JSONEncoder
from typing import Any

import structlog
from structlog.typing import EventDict

from spliceproxy.errors import StartProblem
from spliceproxy.observe.levels import FollowingLogger, set_level
from spliceproxy.observe.lines import LineBuffer
from spliceproxy.settings.options import LogFormat, LogLevel

STANDARD_OUTPUT = 1

Renderer = Callable[[Any, str, EventDict], bytes]

# The standard library's encoder, in C, takes 2.5 µs for the line of a connection. orjson takes
# 0.2, which is not worth a compiled dependency.
_encode_json = JSONEncoder(separators=(",", ":"), default=str).encode


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


def configure(
    log_format: LogFormat, level: LogLevel, stream_fd: int = STANDARD_OUTPUT
) -> LineBuffer:
    """Set up the log of this process, and return its buffer: flush or close it at the end.

    Once is enough for a process and those that it forks: a child starts with an empty buffer.
    """
    if _line_logger.buffer is not None:
        _line_logger.buffer.close()
    try:
        buffer = LineBuffer(stream_fd)
    except OSError as error:  # left alone, some connection would get its number, and the log
        raise StartProblem(
            f"cannot log to descriptor {stream_fd} ({os.strerror(error.errno or 0)})",
            "leave standard output open, or send it to /dev/null",
        ) from error
    _line_logger.buffer = buffer
    _set_up(buffer, log_format, level, stream_fd)
    return buffer


def follow(log_format: LogFormat, level: LogLevel, stream_fd: int = STANDARD_OUTPUT) -> None:
    """Change the log of this process, and of those that it forks from now on.

    What `bind()` has returned before follows.
    """
    if _line_logger.buffer is not None:
        _set_up(_line_logger.buffer, log_format, level, stream_fd)


def _set_up(buffer: LineBuffer, log_format: LogFormat, level: LogLevel, stream_fd: int) -> None:
    render = _renderer(log_format, stream_fd)
    buffer.loss_line = _loss_line_with(render)
    set_level(level)
    structlog.configure(
        processors=[stamp, render],
        wrapper_class=FollowingLogger,
        logger_factory=lambda *_: _line_logger,
        cache_logger_on_first_use=False,
    )


def stamp(_logger: object, level: str, event_dict: EventDict) -> EventDict:
    """Put the time, the level and the event's name before all other keys."""
    timestamp = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    event = event_dict.pop("event")
    return {"timestamp": timestamp, "level": level, "event": event, **event_dict}


def _renderer(log_format: LogFormat, stream_fd: int) -> Renderer:
    terminal = os.isatty(stream_fd)
    if log_format == "json" or (log_format == "auto" and not terminal):
        return render_json
    console = structlog.dev.ConsoleRenderer(
        colors=terminal and not os.environ.get("NO_COLOR"),
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
    return f"{_encode_json(event_dict)}\n".encode()


def _loss_line_with(render: Renderer) -> Callable[[int], bytes]:
    def loss_line(count: int) -> bytes:
        event = {"event": "log_lines_dropped", "count": count, "pid": os.getpid()}
        return render(None, "warning", stamp(None, "warning", event))

    return loss_line
