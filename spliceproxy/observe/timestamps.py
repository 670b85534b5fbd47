"""Times as log lines have them, written quickly: all lines of one second share their beginning."""

import time
from collections.abc import Callable


class Seconds:
    """Writes whole seconds in one form, and keeps the last one."""

    def __init__(self, write: Callable[[int], str]) -> None:
        self._write = write
        self._second = -1
        self._text = ""

    def __call__(self, second: int) -> str:
        """Return the second's text."""
        if second != self._second:
            self._text = self._write(second)
            self._second = second
        return self._text


_utc = Seconds(lambda second: time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)))


def timestamp() -> str:
    """Return the time now, as in ``2026-11-24T07:00:01.123456Z`` (RFC 3339)."""
    second, us = divmod(time.time_ns() // 1000, 1_000_000)
    return f"{_utc(second)}.{us:06d}Z"
