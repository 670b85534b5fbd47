import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from tools.bench import campaign, process_tree
from tools.bench.__main__ import main

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--works", "bulk2"], "unknown work 'bulk2'"),
        (["--peers", "haproxi"], "did you mean haproxy?"),
        (["--variant", "nothing"], "NAME=OPTIONS"),
        (["--rounds", "0"], "--rounds"),
    ],
)
def test_what_cannot_be_asked_for_is_a_usage_error(arguments: list[str], words: str) -> None:
    outcome = CliRunner().invoke(main, ["proxy", *arguments])
    assert outcome.exit_code == 2
    assert words in outcome.stderr


def test_recorded_command_leaves_out_where_the_results_went() -> None:
    arguments = ["proxy", "--json", "/tmp/a.json", "--works", "rr1", "--picture=b.png", "--quick"]
    expected = "python -m tools.bench proxy --works rr1 --quick"
    assert campaign.repeatable(arguments) == expected


def bench(arguments: list[str]) -> list[str]:
    return [sys.executable, "-m", "tools.bench", "proxy", *arguments]


@pytest.mark.e2e
@pytest.mark.slow
# A dozen programs one after the other, with the rest of the suite beside them.
@pytest.mark.timeout(180)
def test_one_short_round_gives_figures_for_each_peer(
    tmp_path: Path, program: Callable[[str], str]
) -> None:
    for name in ("haproxy", "redis-server", "redis-benchmark", "taskset"):
        program(name)
    figures = tmp_path / "figures.json"
    arguments = ["--works", "rr1", "--peers", "haproxy,direct", "--rounds", "1"]
    subprocess.run(
        bench([*arguments, "--seconds", "0.2", "--json", str(figures)]),
        check=True,
        cwd=REPOSITORY,
        timeout=150,
    )
    peers = json.loads(figures.read_text())["works"]["rr1"]["peers"]
    assert peers["haproxy"]["rate_per_s"]["ratio"]["median"] == 1.0
    assert peers["haproxy"]["cpu_us_per_request"]["median"] > 0
    assert peers["direct"]["rate_per_s"]["median"] > 0
    assert peers["direct"]["cpu_us_per_request"]["median"] is None


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_leaves_no_program_behind(
    number: signal.Signals, program: Callable[[str], str]
) -> None:
    program("iperf3")
    arguments = ["--works", "bulk1", "--peers", "direct", "--rounds", "1", "--seconds", "30"]
    with subprocess.Popen(
        bench(arguments), cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as run:
        deadline = time.monotonic() + 20
        while len(started := process_tree.tree(run.pid)) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)  # until iperf3's server and client are both there
        os.kill(run.pid, number)
        assert run.wait(timeout=20) != 0
    assert len(started) >= 3
    assert not [stat.pid for stat in started if Path(f"/proc/{stat.pid}").exists()]
