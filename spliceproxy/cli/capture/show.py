"""`spliceproxy capture show`: what two ends have said to each other."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from spliceproxy.cli.capture.choice import no_such_connection, read_connection
from spliceproxy.cli.capture.reading import Reading, of_directory, reading
from spliceproxy.cli.capture.telling import telling
from spliceproxy.cli.columns import human_bytes
from spliceproxy.errors import ExitStatus, UsageProblem
from spliceproxy.formats.timestamps import timestamp_at

if TYPE_CHECKING:
    from spliceproxy.capture import Connection, Event
    from spliceproxy.cli.capture.dialogue import Dialogue, Entry
    from spliceproxy.framing.wire_protocol import WireProtocol


@click.command()
@of_directory
@click.argument("connection")
@telling("4KiB")
@click.option(
    "--raw",
    type=click.Choice(["request", "response"]),
    help="Write the bytes of one direction, and nothing else.",
)
@click.option(
    "--protocol",
    metavar="NAME",
    help="Show messages of redis, http1, postgres, lines, length:OPTIONS or of another package's"
    " protocol; raw: pieces as they came. By default what the connection looks like.",
)
def show(
    directory: str,
    connection: str,
    *,
    form: str | None,
    direction: str | None,
    limit_bytes: int,
    raw: str | None,
    protocol: str | None,
) -> ExitStatus:
    """Show a connection: each message with its direction, and the time since the beginning.

    Where no protocol is recognised, and with --text or --hex, it is each piece as it came.
    """
    from spliceproxy.cli.capture.dialogue import Dialogue
    from spliceproxy.cli.capture.output import refuse_terminal
    from spliceproxy.framing.protocols import find_protocol
    from spliceproxy.framing.raw import RAW

    wanted = read_connection(connection)
    if protocol is not None and (form or raw):
        raise UsageProblem(
            "--text, --hex and --raw show bytes, whatever the protocol", "leave out --protocol"
        )
    spoken = RAW if form else None if protocol is None else find_protocol(protocol)
    if raw is not None:
        refuse_terminal("redirect it to a file, or leave out --raw")
    with reading(directory) as found:
        talk = found.capture.connection(wanted)
        if talk is None:
            raise no_such_connection(wanted, directory)
        if raw is not None:
            _write_raw(found, talk, raw)
        else:
            plain = Dialogue(form, direction, limit_bytes)
            _tell(found, talk, plain, spoken or _guess(found, talk))
    return found.status


def _guess(found: Reading, talk: "Connection") -> "WireProtocol":
    from spliceproxy.capture import Data
    from spliceproxy.framing.first_bytes import FirstBytes

    first = FirstBytes()
    for event in found.events_of(talk):
        if isinstance(event, Data):
            first.add(event.data, is_response=event.direction == "response")
        if first.is_enough:
            break
    return first.guess()


def _tell(found: Reading, talk: "Connection", plain: "Dialogue", protocol: "WireProtocol") -> None:
    from spliceproxy.cli.capture.dialogue import introduce

    click.echo(f"connection {talk.id}, {introduce(talk.facts)}")
    sizes = (
        f"request {human_bytes(talk.request_bytes)}, response {human_bytes(talk.response_bytes)}"
    )
    is_framed = protocol.name != "raw"
    spoken = f", {protocol.name}" if is_framed else ""
    click.echo(f"began {timestamp_at(talk.began_ns / 1e9)}, {sizes}{spoken}")
    entries = _messages(found, talk, plain, protocol) if is_framed else _pieces(found, talk, plain)
    for time_ns, lines in entries:
        for number, line in enumerate(lines):
            since = "" if number else f"+{(time_ns - talk.began_ns) / 1e9:.6f}s "
            click.echo(since + line)


def _pieces(found: Reading, talk: "Connection", plain: "Dialogue") -> Iterator["Entry"]:
    for event in _events(found, talk):
        yield event.time_ns, list(plain.lines(event))


def _messages(
    found: Reading, talk: "Connection", plain: "Dialogue", protocol: "WireProtocol"
) -> Iterator["Entry"]:
    from spliceproxy.cli.capture.framed_dialogue import FramedDialogue

    dialogue = FramedDialogue(protocol, plain, talk.began_ns)
    for event in _events(found, talk):
        yield from dialogue.entries(event)
    yield from dialogue.rest()


def _events(found: Reading, talk: "Connection") -> Iterator["Event"]:
    from spliceproxy.capture import Opened
    from spliceproxy.cli.capture.dialogue import tell_jumps

    events = tell_jumps(found.events_of(talk))
    return (event for event in events if not isinstance(event, Opened))


def _write_raw(found: Reading, talk: "Connection", direction: str) -> None:
    from spliceproxy.capture import Data, Missing
    from spliceproxy.cli.capture.dialogue import tell_gap, tell_jumps

    for event in tell_jumps(found.events_of(talk)):
        if isinstance(event, Data) and event.direction == direction:
            sys.stdout.buffer.write(event.data)
        elif isinstance(event, Missing) and event.direction == direction:
            found.complain(tell_gap(event))
