"""The tables of a run as plain cells, shared by the printed and the markdown report."""

from __future__ import annotations

from dataclasses import dataclass

from tools.bench import bounds
from tools.bench.results import Results, WorkResult
from tools.bench.works.work import RATIO_SIGN, Metric

NOTHING = "-"


@dataclass(frozen=True)
class Table:
    """A title, column heads and rows of text."""

    title: str
    heads: list[str]
    rows: list[list[str]]


def cell(result: WorkResult, peer: str, metric: Metric) -> str:
    """Return the ratio, the range of ratios over the rounds, and the median behind it."""
    value, ratio = result.median(peer, metric), result.ratio(peer, metric)
    if value is None:
        return NOTHING
    if ratio is None or metric.comparison == "none":
        return metric.shown(value)
    has_range = metric.comparison == "range" and result.rounds > 1
    extent = f" [{ratio.low:.2f}-{ratio.high:.2f}]" if has_range else ""
    return f"{ratio.median:.2f}{RATIO_SIGN}{extent} {metric.shown(value)}"


def work_table(result: WorkResult) -> Table:
    metrics = result.work.metrics
    return Table(
        title=f"{result.work.name}: {result.work.title}",
        heads=["peer", *(metric.title for metric in metrics)],
        rows=[
            [peer, *(cell(result, peer, metric) for metric in metrics)]
            for peer in result.measurements
        ],
    )


def bounds_table(results: Results, peer: str) -> Table:
    return Table(
        title=f"bounds: {peer} against {results.standard.reference}",
        heads=["work", "bound", "measured", "met"],
        rows=[
            [verdict.bound.work, verdict.bound.describe(), verdict.shown, verdict.word]
            for verdict in bounds.verdicts(results.works, peer, results.standard)
        ],
    )


def circumstances(results: Results) -> list[str]:
    """Return the lines that tell how and where the figures came about."""
    machine = results.machine
    length = f" of {results.seconds:g} s" if results.seconds else ""
    lines = [
        f"{machine.cpu_count} CPUs ({machine.cpu_model}), {machine.memory_bytes / 1e9:.0f} GB",
        f"Linux {machine.kernel}, Python {machine.python}",
        f"TCP congestion control: {machine.congestion_control}",
        f"{results.rounds} interleaved rounds{length}",
        f"load generator and origin run on the same machine; {results.placement}",
    ]
    lines += foreign_line(results)
    lines += [f"{name}: {version}" for name, version in results.versions.items()]
    lines += results.notes
    lines += [f"left out: {reason}" for reason in results.left_out]
    lines += [f"failed: {failure}" for failure in results.failures()]
    return lines


def foreign_line(results: Results) -> list[str]:
    """Return the line about the CPU time that others took, where anything was measured."""
    foreign = results.foreign_shares()
    if foreign is None:
        return []
    share, highest = max(foreign.median, 0), max(foreign.high, 0)
    others = f"other programs took {share:.0%} of the machine's CPU time"
    return [f"{others} (median; at most {highest:.0%} during a measurement)"]
