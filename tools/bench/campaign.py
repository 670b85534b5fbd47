"""A whole run: works one after the other, their results put together and handed out."""

from __future__ import annotations

import os
import resource
import shlex
import signal
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from tools.bench import bounds, machine, picture, report, rounds, selection
from tools.bench.errors import BenchError
from tools.bench.peers import Peer
from tools.bench.placement import Placement
from tools.bench.results import Results
from tools.bench.works.work import Work

OUTPUT_OPTIONS = {"--json", "--markdown", "--picture"}


@dataclass(frozen=True)
class Campaign:
    """What was asked for on the command line."""

    command: str
    works: Sequence[Work]
    peers: Sequence[Peer]
    round_count: int
    seconds: float
    where: Placement
    remarks: Sequence[str] = ()
    notes: Sequence[str] = ()
    standard: bounds.Standard = bounds.PROXY

    def run(self) -> Results:
        """Run what can run here; what cannot is left out with a reason in the report."""
        versions, missing_peers = selection.installed_peers(self.peers)
        works, missing_works = selection.runnable_works(self.works)
        results = Results(
            command=self.command,
            machine=machine.describe(),
            placement=self.where.describe(),
            rounds=self.round_count,
            seconds=self.seconds,
            versions={peer.name: version for peer, version in versions.items()},
            left_out=[*self.remarks, *missing_peers, *missing_works],
            notes=[*self.notes],
            standard=self.standard,
        )
        for reason in results.left_out:
            print(reason, file=sys.stderr)
        if not versions or not works:
            raise BenchError("nothing left to measure")
        lift_open_files()
        with tempfile.TemporaryDirectory(prefix="bench-") as directory:
            plan = rounds.Plan(self.round_count, self.seconds, self.where, Path(directory))
            self._run_works(works, list(versions), plan, results)
        return results

    def _run_works(
        self, works: Iterable[Work], peers: list[Peer], plan: rounds.Plan, results: Results
    ) -> None:
        for work in works:
            fit, reasons = selection.fit_peers(work, peers)
            results.left_out += reasons
            if fit:
                results.works.append(rounds.run(work, fit, plan))


@dataclass(frozen=True)
class Outputs:
    """Where the results go, beside the table on the terminal."""

    section: str
    json: Path | None
    markdown: Path | None
    picture: Path | None

    def check(self) -> None:
        """Find out now what would otherwise waste a long run."""
        if self.picture is not None:
            picture.require()

    def deliver(self, results: Results, judged_peer: str) -> None:
        print(report.as_text(results, judged_peer), end="")
        if self.json is not None:
            self.json.write_text(report.as_json(results, judged_peer))
        if self.picture is not None:
            picture.draw(results, self.picture)
        if self.markdown is not None:
            link = os.path.relpath(self.picture, self.markdown.parent) if self.picture else None
            text = report.as_markdown(results, judged_peer, link)
            report.put_into_page(self.markdown, self.section, text)


def repeatable(arguments: Sequence[str]) -> str:
    """Return the command that repeats a run, without the places where its results went."""
    kept: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        option, equals, _value = argument.partition("=")
        if option not in OUTPUT_OPTIONS:
            kept.append(argument)
        elif not equals:
            next(rest, None)
    return shlex.join(["python", "-m", "tools.bench", *kept])


def lift_open_files() -> None:
    """Allow as many open files as the system lets us; the programs we start inherit it."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def end_children_on_termination() -> None:
    """Leave by an exception on SIGTERM and SIGHUP too, so that every child is ended."""

    def leave(signal_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + signal_number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
