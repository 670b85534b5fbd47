"""`spliceproxy capture follow`: what is being said."""

import sys
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from spliceproxy.cli.capture.choice import Choice, choosing
from spliceproxy.cli.capture.reading import OutputStatus, of_directory
from spliceproxy.cli.capture.telling import telling
from spliceproxy.errors import ExitStatus, UsageProblem
from spliceproxy.formats.timestamps import timestamp_at

if TYPE_CHECKING:
    from spliceproxy.capture import Event
    from spliceproxy.capture.follow import Follower
    from spliceproxy.cli.capture.dialogue import Dialogue

_INTERVAL_S = 0.1
"""As often as a mirror hands over what is little."""


@click.command()
@of_directory
@partial(choosing, by_time=False)
@telling("256")
@click.option("--pcapng", "as_packets", is_flag=True, help="Write packets, as for Wireshark.")
def follow(
    directory: str,
    *,
    form: str | None,
    direction: str | None,
    limit_bytes: int,
    as_packets: bool,
    **chosen: Any,
) -> ExitStatus:
    """Tell what comes into a capture from now on, until a signal, or until nobody reads it.

    spliceproxy capture follow DIR --pcapng | wireshark -k -i -
    """
    from spliceproxy.capture import with_requests
    from spliceproxy.capture.follow import Follower
    from spliceproxy.cli.capture.dialogue import Dialogue
    from spliceproxy.cli.capture.output import refuse_terminal, until_reader_goes, until_signal

    if as_packets and (form or direction):
        raise UsageProblem("--pcapng has all bytes of both directions", "leave out the others")
    if as_packets:
        refuse_terminal("pipe it to a program: … --pcapng | wireshark -k -i -")
    outcome = OutputStatus()
    with until_reader_goes(), until_signal():
        followed = _events(Follower(directory), outcome)
        events = Choice(**chosen).events(with_requests(followed))
        if as_packets:
            _write(events)
        else:
            _tell(events, Dialogue(form, direction, limit_bytes))
    return outcome.status


def _events(follower: "Follower", outcome: OutputStatus) -> Iterator["Event"]:
    """Return what comes; writes out what has been written so far before it waits."""
    from spliceproxy.cli.capture.output import wait_for_more

    try:
        while True:
            yield from follower.poll()
            for problem in follower.unreadable:
                outcome.complain(f"{problem.path}: {problem.what}")
            for jump in follower.jumps:
                click.echo(f"clock: {jump}", err=True)
            follower.unreadable.clear()
            follower.jumps.clear()
            if not follower.is_behind:
                wait_for_more(_INTERVAL_S)
    finally:
        follower.close()


def _write(events: Iterable["Event"]) -> None:
    from spliceproxy.capture import to_pcapng

    for piece in to_pcapng(events):
        sys.stdout.buffer.write(piece)


def _tell(events: Iterable["Event"], dialogue: "Dialogue") -> None:
    for event in events:
        for number, line in enumerate(dialogue.lines(event)):
            head = f"{timestamp_at(event.time_ns / 1e9)} {event.connection} "
            click.echo(line if number else head + line)
