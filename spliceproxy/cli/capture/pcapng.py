"""`spliceproxy capture pcapng`: packets, for Wireshark and its like."""

import heapq
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from spliceproxy.cli.capture.choice import Choice, choosing, no_such_connection, read_connection
from spliceproxy.cli.capture.reading import Reading, of_directory, reading
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
    from spliceproxy.cli.capture.output import refuse_terminal

    key_log = None if tls_secrets is None else _read_key_log(tls_secrets)
    if output == "-":
        refuse_terminal("name a file with -o, or pipe it to a program")
    with reading(directory) as found:
        events = Choice(**chosen).events(_events(found, directory, ids))
        with _written_to(output) as file:
            for piece in to_pcapng(events, key_log):
                file.write(piece)
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
    if not ids:
        return found.capture.events()
    streams = []
    for wanted in dict.fromkeys(map(read_connection, ids)):
        connection = found.capture.connection(wanted)
        if connection is None:
            raise no_such_connection(wanted, directory)
        streams.append(found.events_of(connection))
    return heapq.merge(*streams, key=attrgetter("time_ns"))


@contextmanager
def _written_to(output: str) -> Iterator[IO[bytes]]:
    """Open the output; a regular file gets its name when all is in it, or never.

    Raises:
        UsageProblem: it cannot be written.
    """
    if output == "-":
        yield sys.stdout.buffer
        return
    try:
        if _is_special(output):
            with Path(output).open("wb") as file:
                yield file
        else:
            with _appearing(Path(output).resolve()) as file:
                yield file
    except BrokenPipeError:
        raise
    except OSError as problem:
        raise UsageProblem(
            f"{quote(output)}: {problem.strerror}", "name another file with -o"
        ) from None


def _is_special(output: str) -> bool:
    """Whether it is there, and no file that another one could take the place of."""
    try:
        return not stat.S_ISREG(Path(output).stat().st_mode)
    except FileNotFoundError:
        return False


@contextmanager
def _appearing(path: Path) -> Iterator[IO[bytes]]:
    """Write to a file beside it, which only its owner may read, as with all copies of traffic."""
    fd, name = tempfile.mkstemp(prefix=f".{path.name[:200]}-", dir=path.parent)
    try:
        with os.fdopen(fd, "wb") as file:
            yield file
            file.flush()
            os.fsync(fd)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
