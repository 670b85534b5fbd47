"""`spliceproxy capture prune`: what is too old, or too much, goes."""

import os
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from spliceproxy.cli.capture.reading import OutputStatus, of_directory
from spliceproxy.cli.columns import human_bytes
from spliceproxy.cli.readers import reads
from spliceproxy.errors import ExitStatus, UsageProblem, quote

if TYPE_CHECKING:
    from spliceproxy.sinks.file_retention import Swept

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def _parse(name: str, text: str) -> Any:
    from spliceproxy.settings.mirror_kinds.retention import RETENTION_OPTIONS

    return RETENTION_OPTIONS[name].parse(text)


@click.command()
@of_directory
@click.option(
    "--max-age",
    "max_age_s",
    metavar="TIME",
    callback=reads(partial(_parse, "max_age")),
    help="Segments that have not changed for so long go, such as 7d.",
)
@click.option(
    "--max-total",
    "max_total_bytes",
    metavar="SIZE",
    callback=reads(partial(_parse, "max_total")),
    help="The oldest go until all take no more of the disk than that.",
)
@click.option(
    "--keep-free",
    metavar="SIZE",
    callback=reads(partial(_parse, "keep_free")),
    help="The oldest go until so much of the file system is free: a size, or as in 10%.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
def prune(directory: str, *, dry_run: bool, **limits: Any) -> ExitStatus:
    """Remove whole segments, as the mirror does by itself with max_age and its like.

    None goes that is being written.
    """
    if all(limit is None for limit in limits.values()):
        raise UsageProblem(
            "nothing says what is to go", "give --max-age, --max-total or --keep-free"
        )
    swept = _sweep(directory, limits, is_trial=dry_run)
    verb = "would go" if dry_run else "removed"
    click.echo(f"{swept.files} segments {verb}, {human_bytes(swept.size_bytes)}")
    outcome = OutputStatus()
    if swept.exceeded:
        outcome.complain(f"{swept.exceeded} is exceeded still: the rest is being written")
    return outcome.status


def _sweep(directory: str, limits: dict[str, Any], *, is_trial: bool) -> "Swept":
    from spliceproxy.settings.mirror_kinds.retention import Retention
    from spliceproxy.sinks.capture_sweep import SegmentSweep

    def removed(name: str, size_bytes: int) -> None:
        click.echo(f"{name}  {human_bytes(size_bytes)}")

    try:
        root = os.open(directory, _OPEN)
        try:
            sweep = SegmentSweep(
                root, Retention(**limits), lambda: False, removed, is_trial=is_trial
            )
            return sweep.run()
        finally:
            os.close(root)
    except OSError as problem:
        raise UsageProblem(
            f"{quote(directory)}: {problem.strerror}",
            "expected a directory of a capture, and the right to remove files from it",
        ) from None
