"""What spliceproxy has to reach, mostly as ratios to other peers in the same round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools.bench import ratios
from tools.bench.works import bulk, idle, request_response, short
from tools.bench.works.work import RATIO_SIGN, Metric

if TYPE_CHECKING:
    from tools.bench.results import WorkResult


@dataclass(frozen=True)
class Bound:
    """A limit on the ratio to the best baseline or a named peer, or on the figure itself."""

    work: str
    metric: Metric
    limit: float
    is_relative: bool = True
    decimals: int = 2  # a figure is rounded to these before it is held against the limit
    peer: str = ""  # whom it is about, if not the one that the run is about
    against: str = ""
    is_for_each_round: bool = False  # the worst round decides, not the median

    def describe(self) -> str:
        sign = "≥" if self.metric.is_higher_better else "≤"
        subject = f"{self.peer}: " if self.peer else ""
        other = f" of {self.against}" if self.against else ""
        return f"{subject}{self.metric.title} {sign} {self._shown(self.limit)}{other}"

    def _shown(self, figure: float) -> str:
        return f"{figure:.{self.decimals}f}" + (RATIO_SIGN if self.is_relative else "")

    def verdict(self, result: WorkResult, peer: str) -> Verdict:
        """Hold one peer's figure against the limit."""
        figure = self._figure(result, peer)
        if figure is None:
            return Verdict(self, peer, None, "not measured", is_met=None)
        rounded = round(figure, self.decimals)
        is_met = rounded >= self.limit if self.metric.is_higher_better else rounded <= self.limit
        return Verdict(self, peer, figure, self._shown(figure), is_met)

    def _figure(self, result: WorkResult, peer: str) -> float | None:
        if self.is_relative:
            against = (self.against,) if self.against else ()
            values = result.ratio_values(peer, self.metric, against)
        else:
            values = result.values(peer, self.metric)
        found = ratios.spread(values)
        if found is None or not self.is_for_each_round:
            return found.median if found else None
        return found.low if self.metric.is_higher_better else found.high


@dataclass(frozen=True)
class Verdict:
    """What a run says about one bound; `is_met` is None where it says nothing."""

    bound: Bound
    peer: str
    figure: float | None
    shown: str
    is_met: bool | None

    @property
    def word(self) -> str:
        if self.is_met is None:
            return "unknown"
        return "yes" if self.is_met else "NO"


@dataclass(frozen=True)
class Standard:
    """What the ratios of a run are taken to, and the limits that they are held against."""

    reference: str
    bounds: tuple[Bound, ...]


BOUNDS = (
    Bound("bulk1", bulk.THROUGHPUT, 1.0),
    Bound("bulk1", bulk.CPU, 1.1),
    Bound("bulk8", bulk.THROUGHPUT, 1.0),
    Bound("bulk8", bulk.CPU, 1.1),
    Bound("rr50", request_response.RATE, 1.0),
    Bound("rr50", request_response.CPU, 1.1),
    Bound("short", short.RATE, 0.9),
    # The few pipes of the pool are shared by all connections: a tenth is below what one could hold.
    Bound("idle", idle.DESCRIPTORS, 2.0, is_relative=False, decimals=1),
    Bound("idle", idle.HOST_MEMORY, 1.0),
)


PROXY = Standard("the best of HAProxy and nginx", BOUNDS)


def verdicts(results: Sequence[WorkResult], peer: str, standard: Standard = PROXY) -> list[Verdict]:
    """Return what a run says about each bound of the works that it did with this peer."""
    by_name = {result.work.name: result for result in results}
    return [
        bound.verdict(by_name[bound.work], bound.peer or peer)
        for bound in standard.bounds
        if bound.work in by_name and (bound.peer or peer) in by_name[bound.work].measurements
    ]
