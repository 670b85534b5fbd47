"""`spliceproxy capture pcapng`: packets, for Wireshark and its like."""

import heapq
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from spliceproxy.cli.capture.choice import Choice, choosing, no_such_connection, read_connection
from spliceproxy.cli.capture.reading import Reading, of_directory, reading
from spliceproxy.cli.output_file import appearing_file
from spliceproxy.errors import ExitStatus, UsageProblem, quote
from spliceproxy.formats.key_log import MOST_BYTES, KeyLog

if TYPE_CHECKING:
    from spliceproxy.capture import Event


@click.command()
@of_directory
@click.option(
    "--output",
    "-o",
    required=True,
    metavar="FILE|-",
    help="Where to: a file, which appears when it is whole, or - for the standard output.",
)
@click.option("--connection", "ids", metavar="ID", multiple=True, help="This alone. Repeatable.")
@click.option(
    "--tls-secrets",
    metavar="FILE",
    help="A key log (SSLKEYLOGFILE, `tls_key_log`): put the secrets of the connections that are "
    "written into the output, so that Wireshark decrypts those that were captured as ciphertext.",
)
@choosing
def pcapng(
    directory: str, *, output: str, ids: tuple[str, ...], tls_secrets: str | None, **chosen: Any
) -> ExitStatus:
    """Write a capture as packets: what a sniffer between client and backend would have seen."""
    from spliceproxy.capture import to_pcapng
    from spliceproxy.cli.capture.output import refuse_terminal, until_signal

    key_log = None if tls_secrets is None else _read_key_log(tls_secrets)
    if output == "-":
        refuse_terminal("name a file with -o, or pipe it to a program")
    is_stopped = True
    if ids and chosen["mirror"] is None:
        chosen["mirror"] = ""  # whatever is named is meant
    with reading(directory) as found:
        found.capture.require_segment()
        with until_signal():
            events = Choice(**chosen).events(_events(found, directory, ids))
            with _written_to(output) as file:
                for piece in to_pcapng(events, key_log):
                    file.write(piece)
            is_stopped = False
        if is_stopped:
            found.complain("a signal has ended it before the end")
    return found.status


def _read_key_log(path: str) -> KeyLog:
    """Read the secrets of a file.

    Raises:
        UsageProblem: there are none.
    """
    remedy = "expected a key log, as SSLKEYLOGFILE or tls_key_log name one"
    try:
        with Path(path).open("rb") as file:
            if os.fstat(file.fileno()).st_size > MOST_BYTES:
                what = f"has more than {MOST_BYTES >> 20} MiB"
                raise UsageProblem(f"{quote(path)} {what}", "expected the part that matters")
            key_log = KeyLog(file)
    except OSError as problem:
        raise UsageProblem(f"{quote(path)}: {problem.strerror}", remedy) from None
    if not key_log:
        raise UsageProblem(f"{quote(path)} holds no secrets", remedy)
    return key_log


def _events(found: Reading, directory: str, ids: tuple[str, ...]) -> Iterator["Event"]:
    from spliceproxy.capture import with_requests

    if not ids:
        return with_requests(found.capture.events())
    streams = []
    for wanted in dict.fromkeys(map(read_connection, ids)):
        connection = found.capture.connection(wanted)
        if connection is None:
            raise no_such_connection(wanted, directory)
        streams.append(found.events_of(connection))
    return heapq.merge(*streams, key=attrgetter("time_ns"))


@contextmanager
def _written_to(output: str) -> Iterator[IO[bytes]]:
    """Open the output.

    Raises:
        UsageProblem: it cannot be written.
    """
    if output == "-":
        yield sys.stdout.buffer
        return
    try:
        with appearing_file(Path(output)) as file:
            yield file
    except BrokenPipeError:
        raise
    except OSError as problem:
        raise UsageProblem(
            f"{quote(output)}: {problem.strerror}", "name another file with -o"
        ) from None
