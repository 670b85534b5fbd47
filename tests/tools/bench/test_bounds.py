import pytest

from tests.tools.bench.results import work_result
from tools.bench.bounds import BOUNDS, Bound, verdicts
from tools.bench.works import bulk, idle
from tools.bench.works.work import Metric, Sample

RATE = Metric("rate_per_s", "rate", "/s", is_higher_better=True)
COST = Metric("cpu_us", "CPU", "µs")


@pytest.mark.parametrize(("figure", "is_met"), [(101.0, True), (99.6, True), (99.4, False)])
def test_rate_must_reach_the_best_peer(figure: float, is_met: bool) -> None:
    samples = {
        "spliceproxy": [{"rate_per_s": figure}],
        "haproxy": [{"rate_per_s": 100.0}],
        "nginx": [{"rate_per_s": 50.0}],
    }
    verdict = Bound("w", RATE, 1.0).verdict(work_result("w", samples), "spliceproxy")
    assert verdict.is_met is is_met


@pytest.mark.parametrize(("figure", "is_met"), [(54.0, True), (55.0, True), (56.0, False)])
def test_cost_may_not_pass_the_cheapest_peer_by_more_than_the_limit(
    figure: float, is_met: bool
) -> None:
    samples = {
        "spliceproxy": [{"cpu_us": figure}],
        "haproxy": [{"cpu_us": 100.0}],
        "nginx": [{"cpu_us": 50.0}],
    }
    verdict = Bound("w", COST, 1.1).verdict(work_result("w", samples, [COST]), "spliceproxy")
    assert verdict.is_met is is_met


def test_the_median_of_the_ratios_decides_not_the_ratio_of_the_medians() -> None:
    rates = {
        "spliceproxy": [100.0, 50.0, 10.0],
        "haproxy": [90.0, 45.0, 40.0],
        "nginx": [80.0, 40.0, 8.0],
    }
    samples = {name: [{"rate_per_s": rate} for rate in taken] for name, taken in rates.items()}
    verdict = Bound("w", RATE, 1.0).verdict(work_result("w", samples), "spliceproxy")
    assert verdict.figure == pytest.approx(100 / 90)


def test_a_pipe_shared_by_all_is_no_descriptor_of_each() -> None:
    bound = next(bound for bound in BOUNDS if bound.metric is idle.DESCRIPTORS)
    for figure, is_met in [(2.01, True), (2.1, False)]:
        samples = {"spliceproxy": [{"descriptors_per_connection": figure}]}
        result = work_result("idle", samples, [idle.DESCRIPTORS])
        assert bound.verdict(result, "spliceproxy").is_met is is_met


def test_nothing_measured_is_neither_met_nor_missed() -> None:
    samples: dict[str, list[Sample]] = {"spliceproxy": [{}], "haproxy": [{"rate_per_s": 1.0}]}
    verdict = Bound("w", RATE, 1.0).verdict(work_result("w", samples), "spliceproxy")
    assert (verdict.is_met, verdict.word) == (None, "unknown")


def test_only_works_that_ran_are_judged() -> None:
    sample = {"throughput_bytes_per_s": 2.0, "cpu_s_per_gb": 1.0}
    metrics = [bulk.THROUGHPUT, bulk.CPU]
    result = work_result("bulk1", {"spliceproxy": [sample], "haproxy": [sample]}, metrics)
    assert [verdict.bound.work for verdict in verdicts([result], "spliceproxy")] == ["bulk1"] * 2
    assert verdicts([result], "spliceproxy-copy") == []
