"""System calls that misbehave, to be put in the place of those in `spliceproxy.kernel.syscalls`."""

import errno
import os
from collections.abc import Callable
from typing import Any

Call = Callable[..., Any]


class FailAt:
    """Raises an errno at the nth call, and at some calls after it."""

    def __init__(self, real: Call, number: int, error: int, *, times: int = 1) -> None:
        self._real = real
        self._failing = range(number, number + times)
        self._error = error
        self.calls = 0

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.calls += 1
        if self.calls in self._failing:
            raise OSError(self._error, os.strerror(self._error))
        return self._real(*arguments, **named)


class AnswerAt:
    """Returns an answer of its own at the nth call, and at some calls after it."""

    def __init__(self, real: Call, number: int, answer: Any, *, times: int = 1) -> None:
        self._real = real
        self._answering = range(number, number + times)
        self._answer = answer
        self.calls = 0

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.calls += 1
        if self.calls in self._answering:
            return self._answer
        return self._real(*arguments, **named)


class CrashAt:
    """Raises what no caller foresees."""

    def __init__(self, real: Call, number: int) -> None:
        self._real = real
        self._number = number
        self.calls = 0

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.calls += 1
        if self.calls == self._number:
            raise RuntimeError("a fault that nobody foresaw")
        return self._real(*arguments, **named)


class Counted:
    """Counts the calls."""

    def __init__(self, real: Call) -> None:
        self._real = real
        self.calls = 0

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.calls += 1
        return self._real(*arguments, **named)


def starving(source_fd: int) -> Call:
    """Make a splice that finds nothing in one descriptor, whatever is there."""
    real = os.splice

    def splice(source: int, *rest: Any) -> int:
        if source == source_fd:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return real(source, *rest)

    return splice


ENDLESS = 1 << 40
"""So many times: for ever."""
