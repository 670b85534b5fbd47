"""The subcommand that replays a capture against a target."""

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spliceproxy.cli.readers import Command, reads
from spliceproxy.cli.substitute_options import SUBSTITUTE_OPTIONS
from spliceproxy.errors import ExitStatus, UsageProblem, quote
from spliceproxy.settings.address import BACKEND_FORMS, parse_backend
from spliceproxy.settings.bounds import count_up_to, parse_max_connections, parse_timeout
from spliceproxy.settings.units import parse_percent

if TYPE_CHECKING:
    from spliceproxy.replay.connection_filter import ConnectionFilter
    from spliceproxy.replay.replay_options import ReplayOptions
    from spliceproxy.replay.run import ReplayEnd

_MOST_COPIES = 100_000
_PATH = click.Path(path_type=Path, readable=False)  # whoever opens it says more
_FACTOR = click.FloatRange(0, 100)


def parse_moment(text: str) -> float:
    """Return seconds since 1970 of a date and time; one without a zone is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{quote(text)} is no time: expected one such as 2026-11-24T07:00:01Z"
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _parse_client(text: str) -> Any:
    from spliceproxy.settings.network import parse_network

    return parse_network(text)


OPTIONS = (
    click.option(
        "--to",
        "target",
        required=True,
        metavar="ADDRESS",
        callback=reads(parse_backend),
        help=f"Where the connections go: {BACKEND_FORMS}.",
    ),
    click.option(
        "--pace",
        type=click.Choice(["timed", "answers", "max"]),
        default="timed",
        show_default=True,
        help="What the next piece waits for: its recorded time, the answers recorded before it, "
        "or nothing.",
    ),
    click.option(
        "--speed",
        type=click.FloatRange(0.1, 100),
        default=1.0,
        show_default=True,
        help="So many times as fast as recorded.",
    ),
    click.option(
        "--arrival",
        type=_FACTOR,
        help="Factor for the times between connections; 1/speed if it is not given.",
    ),
    click.option(
        "--think",
        type=_FACTOR,
        help="Factor for the times within a connection; 1/speed if it is not given.",
    ),
    click.option(
        "--answer-timeout",
        "answer_timeout_s",
        default="5s",
        show_default=True,
        metavar="TIME",
        callback=reads(parse_timeout),
        help="Wait so long for an answer of which nothing comes, then go on, and count it.",
    ),
    click.option(
        "--stall-timeout",
        "stall_timeout_s",
        default="30s",
        show_default=True,
        metavar="TIME",
        callback=reads(parse_timeout),
        help="Give up a target that does not connect, or read, for so long.",
    ),
    click.option(
        "--copies",
        default="1",
        show_default=True,
        metavar="N",
        callback=reads(count_up_to(_MOST_COPIES)),
        help="Replay each connection so many times side by side.",
    ),
    click.option(
        "--max-connections",
        default="10000",
        show_default=True,
        metavar="N",
        callback=reads(parse_max_connections),
        help="At a time; further ones wait, and are counted as late.",
    ),
    click.option(
        "--from",
        "from_s",
        metavar="TIME",
        callback=reads(parse_moment),
        help="Connections that began then or later, such as 2026-11-24T07:00:01Z.",
    ),
    click.option(
        "--until",
        "until_s",
        metavar="TIME",
        callback=reads(parse_moment),
        help="Connections that began before.",
    ),
    click.option(
        "--route", "routes", multiple=True, metavar="NAME", help="Of this route. Repeatable."
    ),
    click.option(
        "--client",
        "clients",
        multiple=True,
        metavar="NETWORK",
        callback=reads(_parse_client),
        help="Of clients in this network, or with this address. Repeatable.",
    ),
    click.option(
        "--sample",
        default="100%",
        show_default=True,
        metavar="PERCENT",
        callback=reads(parse_percent),
        help="Of so many of the clients, each with all its connections.",
    ),
    click.option(
        "--incomplete",
        type=click.Choice(["skip", "send"]),
        default="skip",
        show_default=True,
        help="What becomes of connections of which request bytes are missing.",
    ),
    *SUBSTITUTE_OPTIONS,
    click.option(
        "--record",
        metavar="DIR",
        type=_PATH,
        help="Capture what is replayed and answered.",
    ),
    click.option(
        "--checkpoint",
        metavar="FILE",
        type=_PATH,
        help="Keep what has been replayed, and leave it out the next time.",
    ),
    click.option(
        "--report",
        metavar="FILE",
        type=_PATH,
        help="Add a table of connections to this file of SQLite.",
    ),
    click.option(
        "--start-at",
        "start_at_s",
        metavar="TIME",
        callback=reads(parse_moment),
        help="Begin then, as on other machines.",
    ),
    click.option(
        "--keep-going", is_flag=True, help="Go on when the first connections are all refused."
    ),
    click.option("--dry-run", "is_dry", is_flag=True, help="Say what would be replayed."),
)


def replay_options(command: Command) -> Command:
    """Add all options."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@click.command()
@click.argument("directory", metavar="DIR", type=_PATH)
@replay_options
def replay(*, is_dry: bool, **given: Any) -> int:
    """Replay the connections of a capture against a target.

    Each one sends the request bytes that were recorded, in order and unchanged, and ends as they
    did. A summary in JSON comes on stdout. Exit status 1 when connections failed, something of the
    capture could not be read, or a signal has ended it.
    """
    options = _options(**given)
    if is_dry:
        from spliceproxy.replay.dry_run import dry_run

        told = dry_run(options)
        for line in told["hints"] + told["unreadable"]:
            click.echo(f"spliceproxy: {line}", err=True)
        click.echo(json.dumps(told, indent=2))
        return ExitStatus.REPLAY_FAILED if told["unreadable"] else ExitStatus.OK
    end = _run(options)
    for line in end.hints + end.complaints:
        click.echo(f"spliceproxy: {line}", err=True)
    click.echo(json.dumps(end.summary, indent=2))
    return ExitStatus.OK if end.is_complete else ExitStatus.REPLAY_FAILED


def _run(options: "ReplayOptions") -> "ReplayEnd":
    import trio

    from spliceproxy.replay.run import replay as run_replay

    async def main() -> "ReplayEnd":
        return await run_replay(options, shows_progress=sys.stderr.isatty())

    return trio.run(main)


def _options(
    *,
    pace: str,
    speed: float,
    arrival: float | None,
    think: float | None,
    incomplete: str,
    keep_going: bool,
    **rest: Any,
) -> "ReplayOptions":
    from spliceproxy.replay.replay_options import Pace, ReplayOptions

    start_at_s = rest["start_at_s"]
    if start_at_s is not None and start_at_s < time.time():
        raise UsageProblem("--start-at: the time is over", "expected one that is to come")
    wanted = _filter(**{name: rest.pop(name) for name in _FILTERS})
    return ReplayOptions(
        pace=Pace(pace),
        arrival=1 / speed if arrival is None else arrival,
        think=1 / speed if think is None else think,
        sends_incomplete=incomplete == "send",
        keeps_going=keep_going,
        wanted=wanted,
        **rest,
    )


_FILTERS = ("from_s", "until_s", "routes", "clients", "sample")


def _filter(
    *,
    from_s: float | None,
    until_s: float | None,
    routes: tuple[str, ...],
    clients: tuple[Any, ...],
    sample: float,
) -> "ConnectionFilter":
    from spliceproxy.replay.connection_filter import ConnectionFilter

    until_ns = None if until_s is None else round(until_s * 1e9)
    return ConnectionFilter(round((from_s or 0) * 1e9), until_ns, routes, clients, sample)
