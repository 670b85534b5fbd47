"""System calls counted where the package makes them: in the seam `spliceproxy.kernel.syscalls`.

Every function of that module is one system call; a pass in which each is wrapped in a counter
therefore counts the calls of the data path exactly, refused ones included. What does not go through
the seam is not counted: opening files, mapping them, page faults, waiting for room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from spliceproxy.kernel import syscalls


class CallCount:
    """How many calls were made while it was installed."""

    def __init__(self) -> None:
        self.calls = 0

    def counted(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self.calls += 1
            return real(*arguments, **named)

        return call


@contextmanager
def counting() -> Iterator[CallCount]:
    """Count for the length of the block. Never around what is timed: counting costs."""
    count = CallCount()
    with ExitStack() as stack:
        for name, real in vars(syscalls).items():
            if callable(real) and not name.startswith("_") and not isinstance(real, type):
                stack.enter_context(patch.object(syscalls, name, count.counted(real)))
        yield count
