"""Results of transfers made by hand."""

from collections.abc import Mapping, Sequence

from tests.tools.bench.results import run_results
from tools.bench.results import Measurement, Results, WorkResult
from tools.bench.transfer.stage import Stage
from tools.bench.transfer.trial import Trial
from tools.bench.works.work import Sample


def never_measured(_stage: Stage) -> Sample:
    raise AssertionError("these results are made by hand")


def result(trial: Trial, samples: Mapping[str, Sequence[Sample]]) -> WorkResult:
    """Put figures under a trial's names; contestants that are not named did not run."""
    measurements = {
        name: [Measurement(sample, "", 0.0) for sample in taken] for name, taken in samples.items()
    }
    return WorkResult(trial, (trial.baseline,), measurements)


def results(*works: WorkResult) -> Results:
    return run_results(works)
