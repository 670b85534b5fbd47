"""`python -m tools.bench transfer`: file and socket to socket by every technique, and maps."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

from tools.bench import campaign, machine, picture, selection
from tools.bench.errors import BenchError
from tools.bench.placement import Placement
from tools.bench.report import put_into_page
from tools.bench.results import Results
from tools.bench.transfer import (
    batches,
    cache_misses,
    corking,
    files,
    maps,
    memory,
    pipes,
    relays,
    report,
    sizes,
    stage,
    uring,
)
from tools.bench.transfer import picture as transfer_picture
from tools.bench.transfer.trial import Trial, size_name

OUTPUT_PATH = click.Path(dir_okay=False, path_type=Path)
SECTION = "transfer"
_MOST_QUICK_BYTES = 16 << 20


@click.command()
@click.option("--works", "work_names", help="Comma-separated; default: all of them.")
@click.option("--rounds", type=click.IntRange(min=1), help="Default: 5, with --quick 2.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.01, max=60),
    help="For each measurement. Default: 0.25, with --quick 0.1.",
)
@click.option("--quick", is_flag=True, help="Short rounds, and no files above 16 MiB by size.")
@click.option("--pin/--no-pin", default=True, show_default=True, help="Sender on its own CPU.")
@click.option(
    "--drop-caches",
    is_flag=True,
    help="Cold files: drop the whole system's page cache, not the file's alone (root).",
)
@click.option("--json", "json_path", type=OUTPUT_PATH, help="Write the figures there.")
@click.option("--markdown", "markdown_path", type=OUTPUT_PATH, help="Put the tables in this page.")
@click.option("--picture", "picture_path", type=OUTPUT_PATH, help="Draw a PNG or SVG.")
def command(
    *,
    work_names: str | None,
    rounds: int | None,
    seconds: float | None,
    quick: bool,
    pin: bool,
    drop_caches: bool,
    json_path: Path | None,
    markdown_path: Path | None,
    picture_path: Path | None,
) -> None:
    """Compare techniques that bring files and streams into a socket, and maps with calls.

    Files are made in TMPDIR, up to 1 GiB, and removed. Cold ones are dropped from the page cache
    by posix_fadvise before each measurement.
    """
    if drop_caches and os.geteuid():
        raise click.UsageError("--drop-caches is for root alone")
    directory = Path(tempfile.gettempdir())
    fitting = sizes.fitting(sizes.SIZES, directory)
    wanted = [size for size in fitting if not quick or size <= _MOST_QUICK_BYTES]
    known = {trial.name: trial for trial in catalogue(wanted)}
    try:
        chosen = selection.pick(work_names or ",".join(known), known, "work")
        if picture_path is not None:
            picture.require()
    except BenchError as error:
        raise click.UsageError(str(error)) from None
    where = Placement.pinned() if pin else Placement()
    results = Results(
        command=campaign.repeatable(sys.argv[1:]),
        machine=machine.describe(),
        placement=placement_line(where),
        rounds=rounds or (2 if quick else 5),
        seconds=seconds or (0.1 if quick else 0.25),
        versions={},
        left_out=[
            f"files of {size_name(size)}: too large for this machine's memory or disk"
            for size in sizes.SIZES
            if size not in fitting
        ],
        notes=notes(directory, drops_all_caches=drop_caches),
    )
    campaign.end_children_on_termination()
    try:
        run(chosen, results, where, drops_all_caches=drop_caches)
        deliver(results, json_path, markdown_path, picture_path)
    except (BenchError, OSError) as error:
        raise click.ClickException(str(error)) from None


def catalogue(file_sizes: Sequence[int]) -> list[Trial]:
    return [
        *files.trials(),
        *sizes.trials(file_sizes),
        *relays.trials(),
        *pipes.trials(),
        *memory.trials(),
        *corking.trials(),
        *maps.trials(),
        *batches.trials(),
        *uring.trials(),
    ]


def placement_line(where: Placement) -> str:
    if where.proxy_cpus is None:
        return "not pinned: the scheduler places sender and receiver"
    return "the sender has a CPU of its own, the programs at the other ends share the rest"


def notes(directory: Path, *, drops_all_caches: bool) -> list[str]:
    kind = machine.file_system(directory, Path("/proc/self/mounts").read_text())
    cold = "drop_caches, the whole system's" if drops_all_caches else "posix_fadvise, the file's"
    missing = cache_misses.why_not_counted()
    return [
        *([f"cache misses are not counted here ({missing})"] if missing else []),
        f"files: on {kind}; cold by {cold}, so that a disk's or a host's own cache may still help",
        "TCP over loopback, congestion control reno",
    ]


def run(
    trials: Sequence[Trial], results: Results, where: Placement, *, drops_all_caches: bool
) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as directory,
        stage.built(
            Path(directory), results.seconds, where, drops_all_caches=drops_all_caches
        ) as built,
    ):
        results.works += [trial.run(built, results.rounds) for trial in trials]


def deliver(
    results: Results, json_path: Path | None, markdown_path: Path | None, picture_path: Path | None
) -> None:
    print(report.as_text(results), end="")
    if json_path is not None:
        json_path.write_text(report.as_json(results))
    if picture_path is not None:
        transfer_picture.draw(results, picture_path)
    if markdown_path is not None:
        text = report.as_markdown(results, markdown_path, picture_path)
        put_into_page(markdown_path, SECTION, text)
