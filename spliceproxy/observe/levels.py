"""How much is logged, which may change at any time: loggers that were bound before follow."""

from typing import Any

import structlog

from spliceproxy.settings.log import LogLevel


class FollowingLogger(structlog.BoundLoggerBase):
    """Logs at the level in force; `set_level` gives it the methods of that level.

    A class has its methods for all loggers that there are, so that a level which is off costs
    them no more than one which was off from the start: the call of a function that does nothing.
    """

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"set_level() has not been called, or there is no {name}")


def set_level(level: LogLevel) -> None:
    """Log what is of this level or above, in this process and in those that it forks."""
    for name, method in vars(structlog.make_filtering_bound_logger(level)).items():
        if not name.startswith("__"):
            setattr(FollowingLogger, name, method)


def tells_connections(level: LogLevel) -> bool:
    """Whether each connection has a line at this level."""
    return level in ("debug", "info")
