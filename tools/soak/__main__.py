"""Entry point of the soak: `python -m tools.soak`."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import trio

from spliceproxy import __version__
from tools.bench import machine, report
from tools.bench.children import REPOSITORY
from tools.bench.errors import BenchError
from tools.companions.shared.serving import until_signal
from tools.soak.errors import SoakError
from tools.soak.soak import Result, soak

INTERRUPTED = 130


def _in_directory(keep: Path | None, run: Callable[[Path], Result]) -> Result:
    if keep is not None:
        try:
            keep.mkdir(mode=0o700)
        except OSError as error:
            raise click.ClickException(f"--keep {keep}: {error.strerror}") from None
        return run(keep.resolve())
    with TemporaryDirectory(prefix="spliceproxy-soak-") as name:
        return run(Path(name))


def _run(seconds: float, seed: int, directory: Path) -> Result:
    """Run the soak. After SIGINT or SIGTERM this process ends, and all that it has started."""
    results: list[Result] = []

    async def work() -> None:
        results.append(await soak(seconds, seed, directory))

    trio.run(until_signal, work)
    if not results:
        sys.exit(INTERRUPTED)
    return results[0]


def _markdown(result: Result, seconds: float, seed: int) -> str:
    command = f"python -m tools.soak --seconds {seconds:g} --seed {seed}"
    parts = [
        f"Repeat it with:\n\n```sh\n{command}\n```",
        "\n".join(f"- {line}" for line in _circumstances()),
        *map(report.markdown_table, result.tables),
    ]
    return "\n\n".join(parts) + "\n"


def _circumstances() -> Iterator[str]:
    found = machine.describe()
    yield f"spliceproxy {__version__}, commit {_commit()}"
    yield f"{found.cpu_count} CPUs ({found.cpu_model}), {found.memory_bytes / 1e9:.0f} GB"
    yield f"Linux {found.kernel}, Python {found.python}"


def _commit() -> str:
    git = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"]
    done = subprocess.run(git, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


@click.command()
@click.option("--seconds", type=click.FloatRange(min=5), default=600, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Draws who does what.")
@click.option(
    "--keep",
    type=click.Path(path_type=Path),
    help="Keep logs and files there, in a directory that is not there yet.",
)
@click.option(
    "--markdown",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the tables into this page.",
)
def main(seconds: float, seed: int, keep: Path | None, markdown: Path | None) -> None:
    """Load two proxies, make trouble for them, and see that nothing grows and all adds up.

    The exit status is 1 where something does not.
    """
    try:
        result = _in_directory(keep, partial(_run, seconds, seed))
    except* (SoakError, BenchError) as group:
        raise click.ClickException(str(group.exceptions[0])) from None
    print("\n\n".join(map(report.text_table, result.tables)))
    if markdown is not None:
        report.put_into_page(markdown, "soak", _markdown(result, seconds, seed), "tools.soak")
    for line in [*result.notes, *result.faults]:
        print(f"soak: {line}", file=sys.stderr)
    if result.faults:
        sys.exit(1)
    print("\nNothing has grown, and all adds up.")


if __name__ == "__main__":
    main()
