"""Results made by hand, for the tests of what is computed from them."""

from collections.abc import Mapping, Sequence

from tools.bench import origins
from tools.bench.machine import Machine
from tools.bench.results import Measurement, Results, WorkResult
from tools.bench.works.work import Metric, Sample, Setting, Work

RATE = Metric("rate_per_s", "rate", "/s", is_higher_better=True)


def never_measured(_setting: Setting) -> Sample:
    raise AssertionError("these results are made by hand")


def work_result(
    name: str,
    samples: Mapping[str, Sequence[Sample]],
    metrics: Sequence[Metric] = (RATE,),
) -> WorkResult:
    """Return a result in which an empty sample is a failed round."""
    work = Work(name, f"the {name} work", tuple(metrics), (), origins.redis, never_measured)
    baselines = tuple(peer for peer in ("haproxy", "nginx") if peer in samples)
    measurements = {
        peer: [Measurement(sample, "" if sample else "it broke", 0.02) for sample in taken]
        for peer, taken in samples.items()
    }
    return WorkResult(work, baselines, measurements)


def run_results(works: Sequence[WorkResult]) -> Results:
    machine = Machine(2, "a CPU", 8_000_000_000, "6.1", "cubic", "3.11.2")
    return Results(
        command="python -m tools.bench proxy",
        machine=machine,
        placement="not pinned",
        rounds=2,
        seconds=1.0,
        versions={"haproxy": "HAProxy version 2.6"},
        left_out=["socat: not found (apt install socat)"],
        works=list(works),
    )
