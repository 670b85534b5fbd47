import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from tools.bench.__main__ import main

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--works", "10g"], "unknown work '10g'"),
        (["--peers", "orign"], "did you mean origin?"),
        (["--seconds", "0.5"], "--seconds"),
    ],
)
def test_what_cannot_be_asked_for_is_a_usage_error(arguments: list[str], words: str) -> None:
    outcome = CliRunner().invoke(main, ["origin", *arguments])
    assert outcome.exit_code == 2
    assert words in outcome.stderr


@pytest.mark.e2e
@pytest.mark.slow
def test_one_short_round_gives_ratios_to_nginx(
    tmp_path: Path, program: Callable[[str], str]
) -> None:
    for name in ("nginx", "wrk", "taskset"):
        program(name)
    figures = tmp_path / "figures.json"
    arguments = ["--works", "10m", "--peers", "origin,nginx", "--rounds", "1", "--seconds", "1"]
    subprocess.run(
        [sys.executable, "-m", "tools.bench", "origin", *arguments, "--json", str(figures)],
        check=True,
        cwd=REPOSITORY,
        timeout=50,
    )
    report = json.loads(figures.read_text())
    peers = report["works"]["10m"]["peers"]
    assert peers["nginx"]["throughput_bytes_per_s"]["ratio"]["median"] == 1.0
    assert peers["origin"]["throughput_bytes_per_s"]["median"] > 0
    assert peers["origin"]["cpu_us_per_request"]["ratio"]["median"] > 0
    (bound,) = report["bounds"]
    assert (bound["peer"], bound["limit"]) == ("origin", 0.9)
    assert bound["figure"] > 0
