"""`python -m tools.bench replay`: how fast, how punctual and how large a replay is."""

from __future__ import annotations

import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click

from tools.bench import campaign, machine, origins, peers, rounds, selection
from tools.bench.bounds import Bound, Standard
from tools.bench.errors import BenchError
from tools.bench.placement import Placement
from tools.bench.results import Measurement, Results, WorkResult
from tools.bench.works import replayed, request_response
from tools.bench.works.replayed import ReplayWork, Scene

OUTPUT_PATH = click.Path(dir_okay=False, path_type=Path)
PROGRAMS = ("redis-server", "redis-benchmark")
NOTES = (
    'replay and redis-benchmark run on the CPU of the "proxy", redis on another one',
    "CPU is that of the whole command, its start included",
    "max sends what it has read; redis-benchmark and answers send one request after the other",
)
STANDARD = Standard(
    "redis-benchmark, or a tenth of the capture,",
    (
        Bound(replayed.REQUESTS, request_response.RATE, 0.7, peer="max"),
        Bound(replayed.TIMED, replayed.LAG_P99, 10.0, is_relative=False, peer="timed"),
        Bound(replayed.TIMED, replayed.REACHED, 1.0, is_relative=False, peer="timed"),
        Bound(replayed.TIMED, replayed.LEFT_OUT, 0, is_relative=False, decimals=0, peer="timed"),
        *(Bound(name, replayed.RESIDENT, 1.2, peer=replayed.LARGE) for name in replayed.MEMORY),
    ),
)


@click.command()
@click.option("--works", "work_names", help="Comma-separated; default: all of them.")
@click.option("--rounds", "round_count", type=click.IntRange(min=1), default=3, show_default=True)
@click.option(
    "--requests",
    "request_count",
    type=click.IntRange(min=100),
    default=100_000,
    show_default=True,
    help="Of each of two commands.",
)
@click.option(
    "--connections",
    type=click.IntRange(min=2),
    default=10_000,
    show_default=True,
    help="Replayed in recorded times.",
)
@click.option(
    "--seconds", type=click.FloatRange(min=0.5), default=60.0, show_default=True, help="Of those."
)
@click.option(
    "--megabytes",
    type=click.IntRange(min=10),
    default=1000,
    show_default=True,
    help="Of the capture whose replay must not take more memory than that of a tenth.",
)
@click.option("--pin/--no-pin", default=True, show_default=True, help="Replay on its own CPU.")
@click.option("--spliceproxy-command", help="For example 'python -m spliceproxy'.")
@click.option("--json", "json_path", type=OUTPUT_PATH, help="Write the figures there.")
@click.option("--markdown", "markdown_path", type=OUTPUT_PATH, help="Put the tables in this page.")
def command(
    *,
    work_names: str | None,
    round_count: int,
    request_count: int,
    connections: int,
    seconds: float,
    megabytes: int,
    pin: bool,
    spliceproxy_command: str | None,
    json_path: Path | None,
    markdown_path: Path | None,
) -> None:
    """Compare replays with redis-benchmark, and with what was recorded. Captures go to TMPDIR."""
    works = [
        replayed.requests(request_count),
        replayed.timed(connections, seconds),
        *(replayed.memory(name, megabytes * 10**6) for name in replayed.MEMORY),
    ]
    known = {work.name: work for work in works}
    start = shlex.split(spliceproxy_command or "") or peers.SPLICEPROXY_COMMAND
    where = Placement.pinned() if pin else Placement()
    try:
        chosen = selection.pick(work_names or ",".join(known), known, "work")
    except BenchError as error:
        raise click.UsageError(str(error)) from None
    campaign.end_children_on_termination()
    outputs = campaign.Outputs("replay", json_path, markdown_path, None)
    try:
        results = _results(start, where, round_count)
        _run(chosen, start, where, results)
        outputs.deliver(results, "replay")
    except (BenchError, OSError) as error:
        raise click.ClickException(str(error)) from None


def _results(start: Sequence[str], where: Placement, round_count: int) -> Results:
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        raise BenchError(f"not found: {', '.join(missing)} (apt install redis)")
    return Results(
        command=campaign.repeatable(sys.argv[1:]),
        machine=machine.describe(),
        placement=where.describe(),
        rounds=round_count,
        seconds=0.0,
        versions={"replay": peers.version(peers.spliceproxy(command=start))},
        notes=[*NOTES],
        standard=STANDARD,
    )


def _run(
    works: Sequence[ReplayWork], start: Sequence[str], where: Placement, results: Results
) -> None:
    campaign.lift_open_files()
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        for work in works:
            with origins.redis(where, Path(directory)) as origin:
                scene = Scene(start, origin.port, where, Path(directory))
                results.works.append(_take_turns(work, scene, results.rounds))


def _take_turns(work: ReplayWork, scene: Scene, round_count: int) -> WorkResult:
    names = list(work.contestants)
    measurements: dict[str, list[Measurement]] = {name: [] for name in names}
    work.record(scene)
    for number, name in rounds.turns(names, min(round_count, work.most_rounds)):
        print(f"{work.name}: round {number + 1}: {name}", file=sys.stderr)
        contestant = work.contestants[name]
        taken = rounds.measured(f"{work.name}: {name}", lambda: contestant(scene))  # noqa: B023
        measurements[name].append(taken)
        time.sleep(rounds.BREATH_S)
    return WorkResult(work, (names[0],), measurements)
