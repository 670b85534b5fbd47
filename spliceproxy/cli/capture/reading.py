"""A capture for a command; what could not be read is told at the end, and is an exit status."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from spliceproxy.cli.columns import printable
from spliceproxy.cli.readers import Command
from spliceproxy.errors import ExitStatus, one_line

if TYPE_CHECKING:
    from spliceproxy.capture import Capture, Connection, Event


class OutputStatus:
    """What makes the output incomplete, said line by line on stderr; and the exit status."""

    def __init__(self) -> None:
        self._count = 0

    def complain(self, what: str) -> None:
        """Say one thing more."""
        self._count += 1
        click.echo(f"incomplete: {printable(one_line(what))}", err=True)

    @property
    def status(self) -> ExitStatus:
        """Whether there was nothing to complain of."""
        return ExitStatus.INCOMPLETE if self._count else ExitStatus.OK


class Reading(OutputStatus):
    """A capture that is read for a command."""

    def __init__(self, capture: "Capture") -> None:
        super().__init__()
        self.capture = capture

    def events_of(self, connection: "Connection") -> Iterator["Event"]:
        """Read a connection again, as far as its segments are still there."""
        from spliceproxy.capture.mirrored_requests import events_with_request

        try:
            yield from events_with_request(self.capture, connection)
        except FileNotFoundError as problem:
            self.complain(f"{problem.filename}: it has been removed meanwhile")

    def end(self) -> None:
        """Tell what could not be read."""
        for problem in self.capture.unreadable:
            self.complain(f"{problem.path}: {problem.what}")
        for hint in self.capture.clocks.hints():
            click.echo(f"clock: {hint}", err=True)


@contextmanager
def reading(directory: str) -> Iterator[Reading]:
    """Open a capture for a command, and tell at its end what could not be read.

    Raises:
        UsageProblem: there is none.
    """
    import spliceproxy.capture
    from spliceproxy.cli.capture.output import until_reader_goes

    found = Reading(spliceproxy.capture.open(directory))
    try:
        with until_reader_goes():
            yield found
    finally:
        found.end()


_DIRECTORY = click.argument("directory", metavar="DIR")


def of_directory(command: Command) -> Command:
    """Add the argument that says which capture."""
    return _DIRECTORY(command)
