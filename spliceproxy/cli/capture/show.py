"""`spliceproxy capture show`: what two ends have said to each other."""

import sys
from typing import TYPE_CHECKING

import click

from spliceproxy.cli.capture.choice import no_such_connection, read_connection
from spliceproxy.cli.capture.reading import Reading, of_directory, reading
from spliceproxy.cli.capture.telling import telling
from spliceproxy.cli.columns import human_bytes
from spliceproxy.errors import ExitStatus
from spliceproxy.formats.timestamps import timestamp_at

if TYPE_CHECKING:
    from spliceproxy.capture import Connection
    from spliceproxy.cli.capture.dialogue import Dialogue


@click.command()
@of_directory
@click.argument("connection")
@telling("4KiB")
@click.option(
    "--raw",
    type=click.Choice(["request", "response"]),
    help="Write the bytes of one direction, and nothing else.",
)
def show(
    directory: str,
    connection: str,
    *,
    form: str | None,
    direction: str | None,
    limit_bytes: int,
    raw: str | None,
) -> ExitStatus:
    """Show a connection: each piece with its direction, and the time since the beginning."""
    from spliceproxy.cli.capture import dialogue
    from spliceproxy.cli.capture.output import refuse_terminal

    wanted = read_connection(connection)
    if raw is not None:
        refuse_terminal("redirect it to a file, or leave out --raw")
    with reading(directory) as found:
        talk = found.capture.connection(wanted)
        if talk is None:
            raise no_such_connection(wanted, directory)
        if raw is not None:
            _write_raw(found, talk, raw)
        else:
            _tell(found, talk, dialogue.Dialogue(form, direction, limit_bytes))
    return found.status


def _tell(found: Reading, talk: "Connection", dialogue: "Dialogue") -> None:
    from spliceproxy.capture import Opened
    from spliceproxy.cli.capture.dialogue import introduce, tell_jumps

    click.echo(f"connection {talk.id}, {introduce(talk.facts)}")
    sizes = (
        f"request {human_bytes(talk.request_bytes)}, response {human_bytes(talk.response_bytes)}"
    )
    click.echo(f"began {timestamp_at(talk.began_ns / 1e9)}, {sizes}")
    for event in tell_jumps(found.events_of(talk)):
        if not isinstance(event, Opened):
            since_s = (event.time_ns - talk.began_ns) / 1e9
            for number, line in enumerate(dialogue.lines(event)):
                click.echo(line if number else f"+{since_s:.6f}s {line}")


def _write_raw(found: Reading, talk: "Connection", direction: str) -> None:
    from spliceproxy.capture import Data, Missing
    from spliceproxy.cli.capture.dialogue import tell_gap, tell_jumps

    for event in tell_jumps(found.events_of(talk)):
        if isinstance(event, Data) and event.direction == direction:
            sys.stdout.buffer.write(event.data)
        elif isinstance(event, Missing) and event.direction == direction:
            found.complain(tell_gap(event))
