"""`python -m tools.companions.mapped`: what maps cost, and what becomes of writes to them."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import click

from tools.bench.report import text_table
from tools.bench.tables import Table
from tools.companions.mapped import pages, passes, persistence, random_access, recording
from tools.companions.mapped.cost import Cost, cost_of
from tools.companions.mapped.made_file import made
from tools.companions.pagecache import cached_file
from tools.companions.pagecache.cached_file import CachedFile
from tools.companions.pagecache.errors import PageCacheError
from tools.companions.shared import options

DIRECTORY = click.Path(file_okay=False, exists=True, path_type=Path)
FILE = click.Path(path_type=Path)
READ_BYTES = 64 << 10

directory_option = click.option(
    "--directory",
    type=DIRECTORY,
    default=Path(tempfile.gettempdir()),
    show_default=True,
    help="Where files are made, and removed: the disk that is asked about.",
)


@click.group()
def main() -> None:
    """Write, kill, read and give back memory maps, and show what each costs."""


@main.command("write")
@directory_option
@options.positive_size("--size", "size_bytes", "Of the file.", "16MiB")
@click.option("--records", type=click.IntRange(1, 1 << 20), default=32, show_default=True)
def write_command(*, directory: Path, size_bytes: int, records: int) -> None:
    """Write records of a page by each way, and tell what safety from a power failure costs."""
    size_bytes += -size_bytes % mmap.PAGESIZE
    rows = []
    try:
        with made(directory, size_bytes) as (_path, fd), recording.mapped(fd) as mapping:
            target = recording.Target(fd, mapping)
            offsets, data = recording.draw_offsets(size_bytes, records), bytes(mmap.PAGESIZE)
            for name, way in recording.WAYS.items():
                target.settle()
                cost = cost_of(partial(recording.record, way, target, offsets, data))
                rows.append([name, way.is_durable, *_per_record(cost, records)])
    except OSError as error:
        raise click.ClickException(f"{directory}: {error.strerror}") from None
    title = f"{records:,} records of {mmap.PAGESIZE:,} bytes in {directory}, for each"
    _show(title, ["way", "on the disk", "time", "CPU", "minor faults"], rows)


def _per_record(cost: Cost, records: int) -> list[str]:
    return [
        f"{cost.elapsed_s / records * 1e6:,.1f} µs",
        f"{cost.cpu_s / records * 1e6:,.1f} µs",
        f"{cost.minor_faults / records:.2f}",
    ]


@main.command("kill")
@directory_option
def kill_command(*, directory: Path) -> None:
    """Kill processes (SIGKILL) that have written through a map, and look into the file."""
    kinds: tuple[persistence.Kind, ...] = ("shared", "private")
    rows = []
    for kind in kinds:
        for is_synced in (False, True):
            with made(directory, len(persistence.CONTENT)) as (path, _fd):
                is_there = persistence.outlives_a_kill(path, kind, is_synced=is_synced)
            rows.append([kind, "yes" if is_synced else "no", "yes" if is_there else "no"])
    _show("written, then killed", ["map", "msync before", "is in the file"], rows)


@main.command("sum")
@click.argument("path", metavar="FILE", type=FILE)
@options.positive_size("--window", "window_bytes", "Mapped at once, where windows are.", "1MiB")
def sum_command(*, path: Path, window_bytes: int) -> None:
    """Read FILE under a checksum: by calls, through one map twice, and through a sliding window."""
    if window_bytes % passes.GRANULARITY_BYTES:
        raise click.UsageError(f"--window is no multiple of {passes.GRANULARITY_BYTES} bytes")
    with _opened(path) as file, ExitStack() as stack:
        file.warm()
        mapping = stack.enter_context(passes.whole_map(file.fd))
        ways: dict[str, Callable[[], int]] = {
            "read": partial(passes.by_read, file.fd, READ_BYTES),
            "map, first pass": partial(passes.by_map, mapping),
            "map, second pass": partial(passes.by_map, mapping),
            "map, MADV_HUGEPAGE": partial(passes.by_new_map, file.fd, mmap.MADV_HUGEPAGE),
            f"windows of {window_bytes >> 10:,} KiB": partial(
                passes.by_windows, file.fd, window_bytes
            ),
        }
        rows = list(_read_rows(ways, file.size_bytes))
    _show(f"{path}, in memory", ["way", "time", "rate", "CPU", "minor faults", "CRC-32"], rows)


@main.command("random")
@click.argument("path", metavar="FILE", type=FILE)
@click.option("--reads", type=click.IntRange(1, 1 << 24), default=20_000, show_default=True)
@options.buffer_size("--block", "block_bytes", "Of each read.", "4KiB")
def random_command(*, path: Path, reads: int, block_bytes: int) -> None:
    """Read blocks of FILE at random offsets under a checksum, by calls and through a map."""
    with _opened(path) as file, ExitStack() as stack:
        try:
            offsets = random_access.draw_offsets(file.size_bytes, block_bytes, reads)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        file.warm()
        mapping = stack.enter_context(passes.whole_map(file.fd))
        through_map = partial(random_access.by_map, mapping, offsets, block_bytes)
        ways: dict[str, Callable[[], int]] = {
            "pread": partial(random_access.by_pread, file.fd, offsets, block_bytes),
            "preadv, one buffer": partial(random_access.by_preadv, file.fd, offsets, block_bytes),
            "map, first pass": through_map,
            "map, second pass": through_map,
        }
        rows = list(_read_rows(ways, reads * block_bytes))
    title = f"{reads:,} blocks of {block_bytes:,} bytes of {path}, in memory"
    _show(title, ["way", "time", "rate", "CPU", "minor faults", "CRC-32"], rows)


@main.command("pages")
@options.buffer_size("--size", "size_bytes", "Of the memory that is filled.", "64MiB")
def pages_command(*, size_bytes: int) -> None:
    """Fill memory in small and in large pages, and drop memory of each kind (MADV_DONTNEED)."""
    size_bytes += -size_bytes % pages.HUGE_PAGE_BYTES
    _show(
        f"{size_bytes >> 20:,} MiB of fresh memory, each page written to once",
        ["memory", "time", "CPU", "minor faults", "in large pages"],
        [_filled_row(kind, size_bytes) for kind in pages.KINDS],
    )
    click.echo("MAP_HUGETLB takes reserved pages alone: sysctl -w vm.nr_hugepages=NUMBER\n")
    dropped = map(pages.drop, pages.DROPPED)
    _show(
        "written to, dropped by MADV_DONTNEED, read again",
        ["memory", "resident then", "what is read"],
        [[found.kind, f"{found.resident_bytes >> 10} KiB", found.content] for found in dropped],
    )


def _filled_row(kind: str, size_bytes: int) -> list[str]:
    try:
        filled = pages.fill(kind, size_bytes)
    except OSError as error:
        return [kind, f"refused: {error.strerror}", "-", "-", "-"]
    cost = filled.cost
    times = [f"{seconds * 1e3:.2f} ms" for seconds in (cost.elapsed_s, cost.cpu_s)]
    return [kind, *times, f"{cost.minor_faults:,}", f"{filled.huge_bytes / size_bytes:.0%}"]


def _read_rows(ways: dict[str, Callable[[], int]], read_bytes: int) -> Iterator[list[str]]:
    for name, read in ways.items():
        found: list[int] = []
        cost = cost_of(partial(_keep, read, found))
        yield [
            name,
            f"{cost.elapsed_s * 1e3:.2f} ms",
            f"{read_bytes / cost.elapsed_s / 1e9:.2f} GB/s",
            f"{cost.cpu_s * 1e3:.2f} ms",
            f"{cost.minor_faults:,}",
            f"{found[0]:08x}",
        ]


@contextmanager
def _opened(path: Path) -> Iterator[CachedFile]:
    try:
        with cached_file.opened(path) as file:
            yield file
    except PageCacheError as error:
        raise click.ClickException(str(error)) from None


def _keep(read: Callable[[], int], found: list[int]) -> None:
    found.append(read())


def _show(title: str, heads: list[str], rows: list[list[str]]) -> None:
    click.echo(text_table(Table(title, heads, rows)))


if __name__ == "__main__":
    main()
