"""The subcommand that shows a running proxy live."""

import sys

import click

from spliceproxy.cli.admin_client import AdminClient
from spliceproxy.cli.asking import AskedProxy, asking
from spliceproxy.cli.readers import reads
from spliceproxy.errors import ExitStatus, StartProblem
from spliceproxy.settings.units import format_duration, parse_duration

_LEAST_INTERVAL_S, _MOST_INTERVAL_S = 0.1, 3600.0
_TIMEOUT_S = 5.0
"""For an answer: a screen that is late by more shows that there is none."""


def parse_interval(text: str) -> float:
    """Return the seconds between two looks."""
    interval_s = parse_duration(text)
    if not _LEAST_INTERVAL_S <= interval_s <= _MOST_INTERVAL_S:
        least, most = format_duration(_LEAST_INTERVAL_S), format_duration(_MOST_INTERVAL_S)
        raise ValueError(f"{text!r} is out of range: expected {least} to {most}")
    return interval_s


@click.command()
@asking
@click.option(
    "--interval",
    "interval_s",
    default="1s",
    show_default=True,
    callback=reads(parse_interval),
    metavar="TIME",
    help="Between two looks.",
)
@click.option(
    "--count",
    type=click.IntRange(1, 1_000_000),
    help="Print so many looks as text, and end. Without a terminal: one.",
)
def top(*, asked: AskedProxy, interval_s: float, count: int | None) -> int:
    """Show routes, backends, mirrors and connections live, with their rates.

    Text when its output is no terminal.
    """
    client = asked.client(_TIMEOUT_S)
    if count is None and sys.stdin.isatty() and sys.stdout.isatty():
        _show(client, interval_s)
    else:
        _print(client, interval_s, count or 1)
    return ExitStatus.OK


def _print(client: AdminClient, interval_s: float, count: int) -> None:
    from spliceproxy.cli.top.plain import looks

    for number, text in enumerate(looks(client, interval_s, count)):
        click.echo(f"\n{text}" if number else text)


def _show(client: AdminClient, interval_s: float) -> None:
    # Here, so that no other command waits for textual, or needs it.
    try:
        from spliceproxy.cli.top.screen import TopScreen
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("textual", "rich"):
            raise
        raise StartProblem(
            "top needs textual to draw its screen",
            "pip install 'spliceproxy[tui]', or have it as text: spliceproxy top --count 1",
        ) from None
    from spliceproxy.cli.top.look import look

    TopScreen(client, interval_s, look(client, connections=False)).run()
