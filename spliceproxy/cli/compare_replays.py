"""The replays that `compare` makes by itself, and where they are kept meanwhile."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from spliceproxy.errors import StartProblem, UsageProblem
from spliceproxy.settings.address import Address

if TYPE_CHECKING:
    from spliceproxy.replay.run import ReplayEnd
    from spliceproxy.replay.value_patterns import ValuePattern


@dataclass(frozen=True, slots=True)
class WantedReplays:
    """What is to be replayed against whom."""

    recorded: Path
    new: Address
    old: Address | None
    kept: Path | None
    """Where both replays stay; None: they are removed when they have been compared."""
    answer_timeout_s: float
    substitutes: tuple["ValuePattern", ...] = ()
    substitutes_across: bool = False


@dataclass(frozen=True, slots=True)
class Replays:
    """What was replayed."""

    answers: Path
    noise: Path | None
    is_complete: bool
    """All connections reached the new version, and were replayed to their ends."""


@contextmanager
def replayed(wanted: WantedReplays) -> Iterator[Replays]:
    """Replay against the old version, then against the new one.

    Raises:
        UsageProblem, StartProblem: it could not be replayed.
    """
    for name in ("new", "old"):
        if wanted.kept is not None and (wanted.kept / name).exists():
            raise UsageProblem(
                f"--keep: {wanted.kept / name} is there already", "name another directory"
            )
    with TemporaryDirectory(prefix="spliceproxy-compare-") as temporary:
        directory = wanted.kept or Path(temporary)
        noise = None
        if wanted.old is not None:
            noise = directory / "old"
            _replay(wanted, wanted.old, noise)
        answers = directory / "new"
        end = _replay(wanted, wanted.new, answers)
        yield Replays(answers, noise, end.is_complete)


def _replay(wanted: WantedReplays, target: Address, record: Path) -> "ReplayEnd":
    import trio

    from spliceproxy.replay.replay_options import Pace, ReplayOptions
    from spliceproxy.replay.run import replay

    options = ReplayOptions(
        directory=wanted.recorded,
        target=target,
        pace=Pace.ANSWERS,
        answer_timeout_s=wanted.answer_timeout_s,
        record=record,
        substitutes=wanted.substitutes,
        substitutes_across=wanted.substitutes_across,
    )
    end = trio.run(replay, options)
    why = end.unreached or end.summary["stopped_by"]
    if end.summary["interrupted"] or why:
        shutil.rmtree(record)
        raise StartProblem("nothing was compared", str(why or f"replay to {target}: interrupted"))
    for line in end.hints + end.complaints:
        click.echo(f"spliceproxy: {line}", err=True)
    return end
