"""Entry point of the sender: `python -m tools.companions.send`."""

import sys
import time
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import click
import trio

from spliceproxy.cli.readers import reads
from spliceproxy.errors import UsageProblem
from spliceproxy.settings.address import TcpAddress, parse_tcp
from tools.companions.send import progress, report
from tools.companions.send.joined import JoinedFiles, open_files
from tools.companions.send.source import Source, Technique, cut, generate, slices
from tools.companions.send.stream import Account, Limits, send_range
from tools.companions.shared import options
from tools.companions.shared.failures import give_up
from tools.companions.shared.serving import until_signal
from tools.companions.techniques.advice import Advice
from tools.companions.techniques.sender import METHODS, FileSender, Method

MOST_CONNECTIONS = 64
INTERRUPTED = 130  # as a shell says of a program that SIGINT ended


@click.command()
@click.argument("target", callback=reads(parse_tcp), metavar="HOST:PORT")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE]...")
@options.positive_size("--generate", "generated_bytes", "Send so much made-up data, and no file.")
@click.option("--method", type=click.Choice(METHODS), default="sendfile", show_default=True)
@click.option("--gift", is_flag=True, help="With vmsplice: set SPLICE_F_GIFT on whole pages.")
@options.size("--offset", "offset", "Start there; to resume, for example.", "0")
@options.size("--length", "length", "Send so many bytes only.")
@options.buffer_size("--chunk", "chunk_bytes", "Most for one call; the pipe's size, too.", "1MiB")
@options.advice
@click.option(
    "--parallel",
    type=click.IntRange(1, MOST_CONNECTIONS),
    default=1,
    show_default=True,
    help="Slices, each over a connection of its own.",
)
@options.positive_duration("--timeout", "timeout_s", "Give up when nothing moves so long.", "30s")
@click.option("--cork", is_flag=True, help="No partly filled segment before the end (TCP_CORK).")
@click.option("--until-closed", is_flag=True, help="Wait for the peer's end, as of an echo.")
def main(
    *,
    target: TcpAddress,
    paths: tuple[Path, ...],
    generated_bytes: int | None,
    method: Method,
    gift: bool,
    offset: int,
    length: int | None,
    chunk_bytes: int,
    advice: frozenset[Advice],
    parallel: int,
    timeout_s: float,
    cork: bool,
    until_closed: bool,
) -> None:
    """Push files, one behind the other, or made-up data to a TCP address by any technique.

    "Acknowledged" is by the peer's kernel; whether its program has read the bytes, TCP cannot
    tell. Exit status: 0 all is acknowledged, 1 something is not, 2 usage, 130 interrupted.
    """
    if gift and method != "vmsplice":
        raise click.UsageError("--gift is for --method vmsplice")
    if advice and not paths:
        raise click.UsageError("--advise is for a FILE: made-up data is in memory")
    technique = Technique(method, gift, chunk_bytes, advice)
    limits = Limits(chunk_bytes, timeout_s, until_closed, cork)
    try:
        with _open_source(paths, generated_bytes) as source:
            parts = slices(offset, cut(source.size_bytes, offset, length), parallel)
            status = _send(target, source, technique, parts, limits)
    except UsageProblem as problem:
        give_up(problem)
    sys.exit(status)


def _open_source(
    paths: tuple[Path, ...], generated_bytes: int | None
) -> AbstractContextManager[Source | JoinedFiles]:
    if paths and generated_bytes is None:
        return open_files(paths)
    if not paths and generated_bytes is not None:
        return generate(generated_bytes)
    raise UsageProblem(
        "what to send is not clear", "name one FILE or more, or give --generate SIZE"
    )


def _send(
    target: TcpAddress,
    source: Source | JoinedFiles,
    technique: Technique,
    parts: list[tuple[int, int]],
    limits: Limits,
) -> int:
    """Send the parts at once, tell what came of it, and return the exit status."""
    accounts = [Account(*part) for part in parts]
    start_s = time.monotonic()
    with ExitStack() as stack:
        senders = []
        for part in parts:
            try:
                senders.append(source.open_sender(technique, *part))
            except OSError as error:
                raise click.ClickException(f"no sender can be had: {error.strerror}") from None
            stack.callback(senders[-1].close)
        interrupted = trio.run(_send_all, target, senders, accounts, limits)
    print(report.summary(accounts, time.monotonic() - start_s), flush=True)
    complaints = list(report.complaints(accounts))
    for complaint in complaints:
        print(f"Error: {complaint}", file=sys.stderr)
    if not complaints:
        return 0
    return INTERRUPTED if interrupted else 1


async def _send_all(
    target: TcpAddress, senders: list[FileSender], accounts: list[Account], limits: Limits
) -> bool:
    async def work() -> None:
        async with trio.open_nursery() as background:
            total_bytes = sum(account.length for account in accounts)
            if progress.is_wanted(total_bytes):
                background.start_soon(
                    progress.show,
                    total_bytes,
                    lambda: sum(account.taken_bytes for account in accounts),
                )
            async with trio.open_nursery() as connections:
                for sender, account in zip(senders, accounts, strict=True):
                    connections.start_soon(send_range, target, sender, account, limits)
            background.cancel_scope.cancel()

    return await until_signal(work)


if __name__ == "__main__":
    main()
