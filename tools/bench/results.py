"""What the rounds gave: samples by work and peer, and the figures computed from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tools.bench import bounds, ratios
from tools.bench.machine import Machine
from tools.bench.works.work import Metric, Sample, Subject


@dataclass(frozen=True)
class Measurement:
    """One peer under one load, once."""

    sample: Sample  # empty where it failed
    error: str
    foreign_share: float  # of the machine's CPU time, used by others meanwhile


@dataclass(frozen=True)
class WorkResult:
    """All rounds of one work; every peer has one measurement a round."""

    work: Subject
    baselines: tuple[str, ...]
    measurements: dict[str, list[Measurement]]

    def values(self, peer: str, metric: Metric) -> list[float | None]:
        return [taken.sample.get(metric.name) for taken in self.measurements[peer]]

    def ratio_values(
        self, peer: str, metric: Metric, against: Sequence[str] = ()
    ) -> list[float | None]:
        """Return the ratio to the best of these (the baselines) of the same round, by round."""
        known = [name for name in against or self.baselines if name in self.measurements]
        best = ratios.best_by_round(
            [self.values(name, metric) for name in known],
            is_higher_better=metric.is_higher_better,
        )
        return ratios.to_best(self.values(peer, metric), best or [None] * self.rounds)

    def median(self, peer: str, metric: Metric) -> float | None:
        found = ratios.spread(self.values(peer, metric))
        return found.median if found else None

    def ratio(self, peer: str, metric: Metric, against: Sequence[str] = ()) -> ratios.Spread | None:
        return ratios.spread(self.ratio_values(peer, metric, against))

    @property
    def rounds(self) -> int:
        return max((len(taken) for taken in self.measurements.values()), default=0)


@dataclass
class Results:
    """A whole run."""

    command: str
    machine: Machine
    placement: str
    rounds: int
    seconds: float
    versions: dict[str, str]
    left_out: list[str] = field(default_factory=list)
    works: list[WorkResult] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    standard: bounds.Standard = bounds.PROXY

    def foreign_shares(self) -> ratios.Spread | None:
        return ratios.spread(
            [
                taken.foreign_share
                for result in self.works
                for measurements in result.measurements.values()
                for taken in measurements
            ]
        )

    def failures(self) -> list[str]:
        counts = Counter(
            (result.work.name, peer, taken.error)
            for result in self.works
            for peer, measurements in result.measurements.items()
            for taken in measurements
            if taken.error
        )
        return [
            f"{work}, {peer}, {count} of {self.rounds} rounds: {error}"
            for (work, peer, error), count in counts.items()
        ]
