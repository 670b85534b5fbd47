"""`python -m tools.companions.pagecache`: a file in the page cache, and what a read costs then."""

from __future__ import annotations

from pathlib import Path

import click

from tools.bench.report import text_table
from tools.bench.tables import Table
from tools.companions.pagecache import cached_file, machine_memory, process_maps, reading
from tools.companions.pagecache.cached_file import CachedFile
from tools.companions.pagecache.errors import PageCacheError
from tools.companions.pagecache.process_maps import Region
from tools.companions.pagecache.sharing import PAGES, observe

PICTURE_WIDTH = 72
MOST_BACKINGS = 15

UNTRUE = (
    "note: the kernel tells what is resident only to a file's owner and to those who may write "
    "to it; to all others every page seems to be"
)


@click.group()
def main() -> None:
    """Show how much of a file is in the page cache, and what processes have mapped."""


@main.command("file")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--warm", is_flag=True, help="Read the file into the cache.")
@click.option("--drop", is_flag=True, help="Ask the kernel to forget the file's pages.")
@click.option(
    "--measure",
    is_flag=True,
    help="Time a read from the disk and from memory in several ways, and count page faults.",
)
def file_command(*, path: Path, warm: bool, drop: bool, measure: bool) -> None:
    """Show how much of FILE is in the page cache; warm it, drop it, measure it.

    --drop and --measure write what is still dirty, then use posix_fadvise(2): only this file's
    pages go. The disk itself, and the host of a virtual machine, may have caches of their own.
    """
    if warm and drop:
        raise click.UsageError("--warm and --drop exclude each other")
    try:
        with cached_file.opened(path) as file:
            show_file(file, warm=warm, drop=drop, measure=measure)
    except PageCacheError as error:
        raise click.ClickException(str(error)) from None


@main.command("maps")
@click.argument("pid", type=click.IntRange(1))
@click.option("--sum", "is_summed", is_flag=True, help="Add up the maps of each file.")
def maps_command(*, pid: int, is_summed: bool) -> None:
    """Show the memory maps of process PID, and the machine's page cache beside them.

    Those of others' processes are for root alone.
    """
    try:
        regions = process_maps.of_process(pid)
    except PageCacheError as error:
        raise click.ClickException(str(error)) from None
    show_sum(pid, regions) if is_summed else show_regions(pid, regions)
    heads = ["of the machine", "MiB", "what it is"]
    entries = machine_memory.rows(machine_memory.read())
    click.echo(text_table(Table("/proc/meminfo", heads, entries)))


@main.command("sharing")
def sharing_command() -> None:
    """Write through a private and a shared map, and show who sees it."""
    show_sharing()


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


def show_regions(pid: int, regions: list[Region]) -> None:
    heads = ["region", "may", "offset", "size", "resident", "shared", "dirty", "backing"]
    rows = list(process_maps.region_rows(regions))
    click.echo(text_table(Table(f"maps of process {pid}, in KiB", heads, rows)) + "\n")


def show_sum(pid: int, regions: list[Region]) -> None:
    heads = ["backing", "maps", "size", "resident", "shared", "private", "swapped"]
    rows = list(process_maps.rows(process_maps.add_up(regions), MOST_BACKINGS))
    click.echo(text_table(Table(f"maps of process {pid}, in KiB", heads, rows)) + "\n")


if __name__ == "__main__":
    main()
