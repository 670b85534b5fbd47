"""The bench of TLS."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from tools.bench import tls_bounds, tls_peers
from tools.bench.__main__ import main
from tools.bench.errors import BenchError
from tools.bench.loads import s_time
from tools.bench.tls_files import TlsFiles
from tools.bench.works import terminated

REPOSITORY = Path(__file__).resolve().parents[3]
REPORT = """\


Now timing with session id reuse.
starting
{kinds}

4 connections in 0.01s; 400.00 connections/user sec, bytes read 592
4 connections in 2 real seconds, 148 bytes read per connection
"""


def test_what_cannot_be_asked_for_is_a_usage_error() -> None:
    outcome = CliRunner().invoke(main, ["tls", "--works", "dowload"])
    assert outcome.exit_code == 2
    assert "unknown work 'dowload'" in outcome.stderr
    assert "did you mean download?" in outcome.stderr


def test_bounds_name_works_and_peers_that_there_are() -> None:
    works = terminated.catalogue(10**9, 10)
    peers = tls_peers.built_in(["spliceproxy"], TlsFiles(Path("/nowhere")))
    for bound in tls_bounds.STANDARD.bounds:
        assert bound.metric in works[bound.work].metrics
        assert not bound.peer or bound.peer in peers
        assert not bound.against or bound.against in peers
    baselines = [peer.name for peer in peers.values() if peer.is_baseline]
    assert baselines == ["haproxy", "nginx", "stunnel"]


@pytest.mark.parametrize(("kinds", "resumes"), [("rrrr", True), ("****", False)])
def test_handshakes_of_the_kind_that_was_asked_for_count(kinds: str, resumes: bool) -> None:
    assert s_time.parse(REPORT.format(kinds=kinds), resumes=resumes) == 4


@pytest.mark.parametrize(
    ("text", "resumes", "words"),
    [
        (REPORT.format(kinds="r*rr"), True, "3 of 4 connections resumed"),
        (REPORT.format(kinds="***r"), False, "1 of 4 connections resumed"),
        (REPORT.format(kinds="***"), False, "unreadable"),
        ("ERROR", False, "unreadable"),
    ],
)
def test_other_handshakes_and_none_are_errors(text: str, resumes: bool, words: str) -> None:
    with pytest.raises(BenchError, match=words):
        s_time.parse(text, resumes=resumes)


@pytest.mark.e2e
@pytest.mark.slow
# Several dozen programs one after the other, with the rest of the suite beside them.
@pytest.mark.timeout(300)
def test_one_short_round_gives_figures_for_each_peer(
    tmp_path: Path, program: Callable[[str], str]
) -> None:
    for name in ("haproxy", "nginx", "openssl", "redis-benchmark", "redis-server", "stunnel4"):
        program(name)
    figures = tmp_path / "figures.json"
    arguments = ["--quick", "--rounds", "1", "--gigabytes", "0.02", "--json", str(figures)]
    subprocess.run(
        [sys.executable, "-m", "tools.bench", "tls", *arguments],
        check=True,
        cwd=REPOSITORY,
        timeout=270,
    )
    report = json.loads(figures.read_text())
    assert report["failures"] == []
    for work, metric in (
        ("download", "throughput_bytes_per_s"),
        ("upload", "cpu_s_per_gb"),
        ("rr50", "rate_per_s"),
    ):
        for peer in ("spliceproxy", "spliceproxy-capture", "haproxy", "nginx", "stunnel"):
            assert report["works"][work]["peers"][peer][metric]["median"] > 0
    for work, metric in (
        ("handshakes", "cpu_us_per_connection"),
        ("resumed", "rate_per_s"),
        ("idle", "private_bytes"),
    ):
        for peer in ("spliceproxy", "haproxy", "nginx", "stunnel"):
            assert report["works"][work]["peers"][peer][metric]["median"] > 0
    for work in ("download", "upload", "rr50"):
        lost = report["works"][work]["peers"]["spliceproxy-capture"]["lost_bytes"]["median"]
        assert lost == 0
