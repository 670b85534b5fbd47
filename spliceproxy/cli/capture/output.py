"""How a command's output ends: all is said, the reader has gone, or a signal comes."""

import io
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from spliceproxy.cli.output_end import discard_output
from spliceproxy.errors import UsageProblem


class StoppedError(Exception):
    """SIGINT or SIGTERM has come."""


@contextmanager
def until_reader_goes() -> Iterator[None]:
    """End in order when nobody reads the output any more, as in ``… | head``."""
    _require_output()
    if isinstance(sys.stdout, io.TextIOWrapper):  # what a terminal's charset lacks is escaped
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        discard_output()


@contextmanager
def until_signal() -> Iterator[None]:
    """End in order at SIGINT or SIGTERM; a second one ends the process at once."""

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        for each, handler in before.items():
            signal.signal(each, handler)
        raise StoppedError

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except StoppedError:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def wait_for_more(interval_s: float) -> None:
    """Write what is buffered, and sleep.

    Raises:
        BrokenPipeError: nobody reads the output any more.
    """
    sys.stdout.flush()
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)  # without any event asked for it tells of errors alone
    if poll.poll(interval_s * 1000):
        raise BrokenPipeError


def refuse_terminal(remedy: str) -> None:
    """Raise UsageProblem if bytes, which may be anything, would go to a terminal."""
    _require_output()
    if sys.stdout.isatty():
        raise UsageProblem("the output is a terminal, and would be bytes of any kind", remedy)


def _require_output() -> None:
    if sys.stdout is None:  # so says Python where descriptor 1 is closed
        raise UsageProblem("the standard output is closed", "send it somewhere, or to /dev/null")
