"""The bench of scraping."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from tools.bench import scrape_peers
from tools.bench.__main__ import main
from tools.bench.commands.scrape import STANDARD
from tools.bench.works import scraped

REPOSITORY = Path(__file__).resolve().parents[3]


def test_what_cannot_be_asked_for_is_a_usage_error() -> None:
    outcome = CliRunner().invoke(main, ["scrape", "--works", "idel"])
    assert outcome.exit_code == 2
    assert "unknown work 'idel' (known: rr50, idle)" in outcome.stderr


def test_bounds_name_works_that_there_are_and_ratios_are_to_the_one_that_is_not_asked() -> None:
    works = scraped.catalogue(10)
    for bound in STANDARD.bounds:
        assert bound.metric in works[bound.work].metrics
    peers = scrape_peers.built_in().values()
    assert [peer.name for peer in peers if peer.is_baseline] == [scrape_peers.UNASKED]


@pytest.mark.e2e
@pytest.mark.slow
# A dozen programs one after the other, with the rest of the suite beside them.
@pytest.mark.timeout(180)
def test_one_short_round_gives_figures(tmp_path: Path, program: Callable[[str], str]) -> None:
    for name in ("redis-server", "redis-benchmark", "taskset"):
        program(name)
    figures = tmp_path / "figures.json"
    arguments = ["--rounds", "1", "--seconds", "0.5", "--connections", "50"]
    subprocess.run(
        [sys.executable, "-m", "tools.bench", "scrape", *arguments, "--json", str(figures)],
        check=True,
        cwd=REPOSITORY,
        timeout=150,
    )
    report = json.loads(figures.read_text())
    assert report["failures"] == []
    for peer in (scrape_peers.UNASKED, scrape_peers.SCRAPED):
        assert report["works"]["rr50"]["peers"][peer]["rate_per_s"]["median"] > 0
        assert report["works"]["idle"]["peers"][peer]["worker_cpu"]["median"] is not None
