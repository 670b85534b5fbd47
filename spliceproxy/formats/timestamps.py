"""Times as log lines and records have them: in UTC, to the microsecond (RFC 3339)."""

import time
from collections.abc import Callable


class Seconds:
    """Writes whole seconds in one form, and keeps the last one: lines of a second begin alike."""

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


def _write_utc(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


_utc = Seconds(_write_utc)
_utc_before = Seconds(_write_utc)  # of another second than the one that is now


def timestamp() -> str:
    """Return the time now, as in ``2026-11-24T07:00:01.123456Z``."""
    second, us = divmod(time.time_ns() // 1000, 1_000_000)
    return f"{_utc(second)}.{us:06d}Z"


def timestamp_at(time_s: float) -> str:
    """Return that time, in seconds since 1970, as `timestamp` does."""
    second, us = divmod(round(time_s * 1e6), 1_000_000)
    return f"{_utc_before(second)}.{us:06d}Z"
