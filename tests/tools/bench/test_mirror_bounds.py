from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.tools.bench.results import run_results, work_result
from tools.bench import mirror_bounds, mirror_peers, report
from tools.bench.bounds import Bound, verdicts
from tools.bench.results import WorkResult
from tools.bench.works import mirrored
from tools.bench.works.work import Metric, Sample

COST = Metric("cost", "cost", "s")
LOST = Metric("lost", "lost", "bytes")


def costs(**rounds: Sequence[float]) -> WorkResult:
    samples = {peer: [{"cost": value} for value in taken] for peer, taken in rounds.items()}
    return replace(work_result("w", samples, [COST]), baselines=("spliceproxy",))


def test_bound_against_a_named_peer_is_taken_round_by_round() -> None:
    result = costs(spliceproxy=[1, 1, 1], file=[6, 30, 9], capture=[10, 60, 10])
    bound = Bound("w", COST, 0.7, peer="file", against="capture")
    verdict = bound.verdict(result, "file")
    assert verdict.figure == pytest.approx(0.6)
    assert verdict.is_met
    assert bound.describe() == "file: cost ≤ 0.70\N{MULTIPLICATION SIGN} of capture"


def test_peer_to_compare_with_that_did_not_run_leaves_the_bound_open() -> None:
    bound = Bound("w", COST, 0.7, peer="file", against="capture")
    assert bound.verdict(costs(spliceproxy=[1], file=[6]), "file").is_met is None


@pytest.mark.parametrize(("lost", "is_met"), [([0.0, 0.0, 0.0], True), ([0.0, 1.0, 0.0], False)])
def test_nothing_may_be_lost_in_any_round(lost: list[float], is_met: bool) -> None:
    samples: list[Sample] = [{"lost": value} for value in lost]
    result = work_result("w", {"file": samples}, [LOST])
    bound = Bound("w", LOST, 0, is_relative=False, decimals=0, is_for_each_round=True)
    assert bound.verdict(result, "file").is_met is is_met


def test_bounds_name_works_and_peers_that_there_are() -> None:
    known_works = mirrored.catalogue(10**9)
    known_peers = mirror_peers.built_in()
    for bound in mirror_bounds.STANDARD.bounds:
        assert bound.metric in known_works[bound.work].metrics
        assert bound.peer in known_peers
        assert not bound.against or bound.against in known_peers
    assert [peer.name for peer in known_peers.values() if peer.is_baseline] == ["spliceproxy"]


def test_report_names_what_the_ratios_are_taken_to() -> None:
    rate = Metric("rate_per_s", "rate", "/s", is_higher_better=True)
    samples = {"spliceproxy": [{"rate_per_s": 100.0}], "null": [{"rate_per_s": 96.0}]}
    result = replace(work_result("rr50", samples, [rate]), baselines=("spliceproxy",))
    results = replace(
        run_results([result]), standard=mirror_bounds.STANDARD, notes=["files: /tmp (ext4)"]
    )
    text = report.as_text(results, "mirrors")
    assert "the ratio to spliceproxy without a mirror in the same round" in text
    assert "bounds: mirrors against spliceproxy without a mirror" in text
    assert "null: rate ≥ 0.95\N{MULTIPLICATION SIGN}" in text
    assert "files: /tmp (ext4)\n" in text
    judged = verdicts(results.works, "mirrors", results.standard)
    assert [verdict.is_met for verdict in judged] == [True]
