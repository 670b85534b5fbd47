"""System calls counted where they are made: in the package's seams, and where files are read.

Every function of `spliceproxy.kernel.syscalls`, `page_syscalls` and `io_uring` is one system call,
so a pass in which each is wrapped in a counter counts what moves bytes, refused calls included. Not
counted is what happens around it: opening and mapping, memory for vmsplice, page faults, waiting
for room.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any
from unittest.mock import patch

from spliceproxy.kernel import io_uring, page_syscalls, syscalls

_SEAMS = (syscalls, page_syscalls, io_uring)
_ELSEWHERE = (
    (os, "preadv"),  # what the techniques read files with
    (socket.socket, "sendmsg"),
    (socket.socket, "setsockopt"),
)


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
        for owner, name in [*_calls(), *_ELSEWHERE]:
            counted = count.counted(getattr(owner, name))
            stack.enter_context(patch.object(owner, name, counted))
        yield count


def _calls() -> Iterator[tuple[ModuleType, str]]:
    """Name the public functions of the seams."""
    for module in _SEAMS:
        for name, value in vars(module).items():
            if callable(value) and not name.startswith("_") and not isinstance(value, type):
                yield module, name
