"""`python -m tools.companions.pagecache`: a file in the page cache, and what a read costs then."""

from __future__ import annotations

from pathlib import Path

import click

from tools.bench.report import text_table
from tools.bench.tables import Table
from tools.companions.pagecache import cached_file, process_maps, reading
from tools.companions.pagecache.cached_file import CachedFile
from tools.companions.pagecache.errors import PageCacheError
from tools.companions.pagecache.sharing import PAGES, observe

PICTURE_WIDTH = 72
MOST_BACKINGS = 15

UNTRUE = (
    "note: the kernel tells what is resident only to a file's owner and to those who may write "
    "to it; to all others every page seems to be"
)


@click.command()
@click.argument("path", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@click.option("--warm", is_flag=True, help="Read the file into the cache.")
@click.option("--drop", is_flag=True, help="Ask the kernel to forget the file's pages.")
@click.option(
    "--measure",
    is_flag=True,
    help="Time a read from the disk and from memory in several ways, and count page faults.",
)
@click.option(
    "--sharing", is_flag=True, help="Write through a private and a shared map; needs no FILE."
)
@click.option("--maps", "pid", type=click.IntRange(1), metavar="PID", help="A process's maps.")
def main(
    *, path: Path | None, warm: bool, drop: bool, measure: bool, sharing: bool, pid: int | None
) -> None:
    """Show how much of FILE is in the page cache; warm it, drop it, measure it.

    --drop and --measure write what is still dirty, then use posix_fadvise(2): only this file's
    pages go. The disk itself, and the host of a virtual machine, may have caches of their own.
    """
    if [path is not None, pid is not None, sharing].count(True) != 1:
        raise click.UsageError("name a FILE, or a process with --maps PID, or ask for --sharing")
    if warm and drop:
        raise click.UsageError("--warm and --drop exclude each other")
    try:
        if sharing:
            show_sharing()
        elif pid is not None:
            show_maps(pid)
        elif path is not None:
            with cached_file.opened(path) as file:
                show_file(file, warm=warm, drop=drop, measure=measure)
    except PageCacheError as error:
        raise click.ClickException(str(error)) from None


def show_file(file: CachedFile, *, warm: bool, drop: bool, measure: bool) -> None:
    show_residency(file, str(file.path))
    if measure:
        click.echo(text_table(Table(f"one pass over {file.path}", HEADS, measured_rows(file))))
    if warm:
        file.warm()
        show_residency(file, "after --warm")
    if drop:
        file.drop()
        show_residency(file, "after --drop")
    if not file.may_know_residency():
        click.echo(UNTRUE)


def show_residency(file: CachedFile, title: str) -> None:
    residency = file.residency()
    click.echo(f"{title}: {residency.describe()}")
    click.echo(f"[{residency.picture(PICTURE_WIDTH)}]")


HEADS = ["way", "cache", "time", "rate", "minor faults", "major faults"]


def measured_rows(file: CachedFile) -> list[list[str]]:
    """Read in every way, from the disk and then from memory.

    One cold pass goes before: what the disk, or the host of a virtual machine, caches itself is
    then the same for all.
    """
    reading.measure(file, "read(2)", is_cold=True)
    rows = []
    for way in reading.WAYS:
        for is_cold in (True, False):
            state = "cold" if is_cold else "warm"
            try:
                found = reading.measure(file, way, is_cold=is_cold)
            except OSError as error:
                rows.append([way, state, error.strerror or "-", "-", "-", "-"])
                continue
            rows.append(
                [
                    way,
                    state,
                    f"{found.elapsed_s * 1e3:.2f} ms",
                    f"{file.size_bytes / found.elapsed_s / 1e9:.2f} GB/s",
                    f"{found.minor_faults:,}",
                    f"{found.major_faults:,}",
                ]
            )
    return rows


def show_sharing() -> None:
    heads = ["map", "faults of reading", "faults of writing", "seen by read(2)", "by other maps"]
    rows = [
        [
            seen.kind,
            str(seen.faults_of_reading),
            str(seen.faults_of_writing),
            "yes" if seen.is_seen_by_read else "no",
            "yes" if seen.is_seen_by_other_maps else "no",
        ]
        for seen in map(observe, ("private", "shared"))
    ]
    title = f"{PAGES} pages of a file in memory, read and then written through a map"
    click.echo(text_table(Table(title, heads, rows)))


def show_maps(pid: int) -> None:
    heads = ["backing", "maps", "size", "resident", "shared", "private", "swapped"]
    rows = list(process_maps.rows(process_maps.of_process(pid), MOST_BACKINGS))
    click.echo(text_table(Table(f"maps of process {pid}, in KiB", heads, rows)))


if __name__ == "__main__":
    main()
