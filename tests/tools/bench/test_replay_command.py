"""The bench of replays."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from tools.bench import children, spent
from tools.bench.__main__ import main
from tools.bench.commands.replay import STANDARD
from tools.bench.errors import BenchError
from tools.bench.loads import replay
from tools.bench.works import replayed

REPOSITORY = Path(__file__).resolve().parents[3]
STATUS = "Name:\tpython\nVmPeak:\t  90000 kB\nVmHWM:\t   46000 kB\nVmRSS:\t   45000 kB\n"


def test_what_cannot_be_asked_for_is_a_usage_error() -> None:
    outcome = CliRunner().invoke(main, ["replay", "--works", "rr51"])
    assert outcome.exit_code == 2
    assert "unknown work 'rr51' (known: rr50, timed, memory-max, memory-timed)" in outcome.stderr


def test_bounds_name_works_and_contestants_that_there_are() -> None:
    works = [replayed.requests(100), replayed.timed(10, 1.0)]
    works += [replayed.memory(name, 10**7) for name in replayed.MEMORY]
    by_name = {work.name: work for work in works}
    for bound in STANDARD.bounds:
        assert bound.metric in by_name[bound.work].metrics
        assert bound.peer in by_name[bound.work].contestants


@pytest.mark.parametrize("before", ["", "spliceproxy: {a} segment is damaged\n"])
def test_the_summary_comes_last(before: str) -> None:
    summary = {"connections": {"replayed": 1}, "seconds": 2.0}
    assert replay.parse(before + json.dumps(summary, indent=2)) == summary


@pytest.mark.parametrize("text", ["", "spliceproxy: no capture", '{\n  "seconds": 1\n}', "{\n"])
def test_no_summary_is_an_error(text: str) -> None:
    with pytest.raises(BenchError, match="no summary"):
        replay.parse(text)


def test_what_a_program_has_used(tmp_path: Path) -> None:
    assert spent.parse_most_resident(STATUS) == 46_000 * 1024
    assert spent.parse_most_resident("State:\tZ (zombie)\n") == 0
    program = "import time; b = bytearray(64 << 20)\nwhile time.process_time() < 0.3: pass\nexit(3)"
    with children.running("program", [sys.executable, "-c", program], tmp_path) as child:
        used = spent.until_end(child, 60)
    assert used.status == 3
    assert used.cpu_s >= 0.3
    assert used.most_resident_bytes > 64 << 20


def test_a_program_that_does_not_end_is_given_up(tmp_path: Path) -> None:
    with (
        children.running("sleep", ["sleep", "60"], tmp_path) as child,
        pytest.raises(BenchError, match="no end"),
    ):
        spent.until_end(child, 0.05)


@pytest.mark.e2e
@pytest.mark.slow
# A dozen programs one after the other, with the rest of the suite beside them.
@pytest.mark.timeout(180)
def test_one_short_round_gives_figures(tmp_path: Path, program: Callable[[str], str]) -> None:
    for name in ("redis-server", "redis-benchmark", "taskset"):
        program(name)
    figures = tmp_path / "figures.json"
    arguments = ["--rounds", "1", "--requests", "500", "--connections", "20", "--seconds", "1"]
    arguments += ["--megabytes", "10", "--json", str(figures)]
    subprocess.run(
        [sys.executable, "-m", "tools.bench", "replay", *arguments],
        check=True,
        cwd=REPOSITORY,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        timeout=150,
    )
    report = json.loads(figures.read_text())
    assert report["failures"] == []
    for pace in ("max", "answers"):
        assert report["works"]["rr50"]["peers"][pace]["rate_per_s"]["ratio"]["median"] > 0
    assert report["works"]["timed"]["peers"]["timed"]["left_out"]["median"] == 0
    for work in replayed.MEMORY:
        assert report["works"][work]["peers"][replayed.LARGE]["most_resident_bytes"]["median"] > 1e6
    assert [path.name for path in tmp_path.iterdir()] == ["figures.json"]
