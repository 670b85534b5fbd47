"""Log lines that one client, backend or mirror can cause at will: told together, once a second."""

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from spliceproxy.loop.timers import Timer, TimerWheel

TELL_EVERY_S = 1.0
MOST_CAUSES = 64
"""That are told apart at a time. Far more than a broken route has; addresses, names and errors of
a hostile peer have no end."""

_FAULT = "a fault of spliceproxy: please report it, with this traceback"

Labels = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class LineCause:
    """What lines are summed by: an event with what tells it from others of its name."""

    event: str
    labels: tuple[tuple[str, object], ...]
    level: str = "warning"


class LineSums:
    """Tells the first line of a cause at once, and those of each second after it in one line.

    A line has its cause, `count`, and what is known of the last one. A cause that was quiet for a
    second is forgotten. Those above `MOST_CAUSES` at a time are told together, without labels.
    """

    def __init__(self, timers: TimerWheel, **always: object) -> None:
        """`always` is part of each line, such as the route."""
        self._timers = timers
        self._always = always
        self._lines: dict[LineCause, _Line] = {}

    def warn(self, event: str, labels: Labels, **last: object) -> None:
        """Tell of something that goes wrong; `last` may differ each time, as a client does."""
        self._add(LineCause(event, tuple(labels.items())), last)

    def inform(self, event: str, labels: Labels, **last: object) -> None:
        """Tell of something that goes well."""
        self._add(LineCause(event, tuple(labels.items()), "info"), last)

    def crashed(self, error: Exception, event: str = "internal_error", **last: object) -> None:
        """Tell of an exception that nobody foresaw, with its traceback; summed by its place."""
        cause = LineCause(event, (("error", _name_place(error)), ("remedy", _FAULT)), "error")
        self._add(cause, {**last, "exc_info": error})

    def _add(self, cause: LineCause, last: dict[str, object]) -> None:
        line = self._lines.get(cause)
        if line is None:
            if len(self._lines) >= MOST_CAUSES:
                cause = LineCause(
                    cause.event, (("causes", f"more than {MOST_CAUSES}"),), cause.level
                )
            line = self._lines.setdefault(cause, _Line(self, cause))
        line.count += 1
        line.last = last
        if line.timer is None:
            self._tell(line)

    def _tell(self, line: "_Line") -> None:
        log = structlog.get_logger(**self._always, **dict(line.cause.labels))
        getattr(log, line.cause.level)(line.cause.event, count=line.count, **line.last)
        line.count, line.last = 0, {}
        line.timer = self._timers.after(TELL_EVERY_S, line)

    def tell_or_forget(self, line: "_Line") -> None:
        """Tell of those since the last line, or know nothing of a cause any more."""
        line.timer = None
        if line.count:
            self._tell(line)
        else:
            self._lines.pop(line.cause, None)

    def flush(self) -> None:
        """Tell what was not told yet, and wait for nothing."""
        lines, self._lines = self._lines, {}
        for line in lines.values():
            if line.count:
                self._tell(line)
            if line.timer is not None:
                line.timer.cancel()


@dataclass(slots=True, eq=False)
class _Line:
    """What is to be told of one cause."""

    sums: LineSums
    cause: LineCause
    count: int = 0
    last: dict[str, object] = field(default_factory=dict)
    timer: Timer | None = None

    def on_deadline(self) -> None:
        self.sums.tell_or_forget(self)

    def on_crash(self, error: Exception) -> None:
        structlog.get_logger().error("internal_error", exc_info=error)


def _name_place(error: Exception) -> str:
    name = type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    return f"{name} at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else name
