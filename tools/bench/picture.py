"""The picture of a run: ratios by work, and the growth of cost with open connections."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial
from pathlib import Path
from textwrap import fill
from typing import Any

from tools.bench.errors import BenchError
from tools.bench.peers import DIRECT
from tools.bench.results import Results, WorkResult
from tools.bench.works.work import Metric

GROWTH = "growth"
WIDTH_INCHES = 11.0
PANEL_INCHES = 3.6
GROUP_WIDTH = 0.8
LABEL_WIDTH = 14
HIGHEST_RATIO = 3.5  # what a reader can still compare; socat alone goes to ten and beyond

Colours = dict[str, str]


def draw(results: Results, path: Path) -> None:
    """Write the picture; the ending of the path names the format (png, svg)."""
    panels = _panels(results)
    if not panels:
        raise BenchError("picture: nothing was measured")
    figure, axes = new_figure(len(panels), 1, (WIDTH_INCHES, PANEL_INCHES * len(panels)))
    for panel, (row,) in zip(panels, axes, strict=True):
        panel(row)
    save(figure, path)


def new_figure(rows: int, columns: int, size_inches: tuple[float, float]) -> tuple[Any, Any]:
    """Return a figure and its axes by row and column."""
    figure, axes = _pyplot().subplots(rows, columns, figsize=size_inches, squeeze=False)
    return figure, axes


def save(figure: Any, path: Path) -> None:
    """Write a figure and let go of it."""
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    _pyplot().close(figure)


def _panels(results: Results) -> list[Callable[[Any], None]]:
    compared = [result for result in results.works if result.work.name != GROWTH]
    grown = [result for result in results.works if result.work.name == GROWTH]
    colours = _colours(results)
    panels: list[Callable[[Any], None]] = []
    if any(metric.is_higher_better for result in compared for metric in result.work.metrics):
        panels.append(
            partial(_bars, results=results, works=compared, colours=colours, is_cost=False)
        )
    if compared:
        panels.append(
            partial(_bars, results=results, works=compared, colours=colours, is_cost=True)
        )
    return panels + [partial(_lines, result=result, colours=colours) for result in grown]


def _colours(results: Results) -> Colours:
    """Give each peer one colour for all panels, in the order in which they were named.

    What is possible without a proxy is not drawn: it would dwarf the differences between proxies.
    """
    peers = [peer for peer in results.versions if peer != DIRECT]
    return {peer: f"C{number}" for number, peer in enumerate(peers)}


def require() -> None:
    """Raise BenchError where matplotlib is missing."""
    if importlib.util.find_spec("matplotlib") is None:
        raise BenchError("picture: matplotlib is missing (pip install matplotlib)")


def _pyplot() -> Any:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def _bars(
    axes: Any, results: Results, works: list[WorkResult], *, colours: Colours, is_cost: bool
) -> None:
    """Draw a group of bars for each work: its main figures of the kind that is asked for."""
    groups = [
        (result, metric)
        for result in works
        for metric in result.work.metrics
        if metric.comparison == "range" and metric.is_higher_better != is_cost
    ]
    width = GROUP_WIDTH / len(colours)
    for index, (peer, colour) in enumerate(colours.items()):
        shift = (index - (len(colours) - 1) / 2) * width
        _bars_of(axes, peer, groups, shift, width=width, color=colour)
    axes.axhline(1.0, color="black", linewidth=0.8)
    labels = [f"{result.work.name}\n{fill(metric.title, LABEL_WIDTH)}" for result, metric in groups]
    axes.set_xticks(range(len(groups)), labels)
    axes.set_ylabel(f"ratio to\n{results.standard.reference}")
    axes.set_ylim(0, min(axes.get_ylim()[1], HIGHEST_RATIO))
    kind = "cost: lower is better" if is_cost else "rate: higher is better"
    axes.set_title(f"{kind} (bars end at {HIGHEST_RATIO:g})")
    _legend(axes)


def _bars_of(
    axes: Any, peer: str, groups: list[tuple[WorkResult, Metric]], shift: float, **style: Any
) -> None:
    """Draw one peer's bars, with the range over the rounds as a whisker."""
    found = [
        (place + shift, ratio)
        for place, (result, metric) in enumerate(groups)
        if peer in result.measurements and (ratio := result.ratio(peer, metric)) is not None
    ]
    if found:
        whiskers = (
            [ratio.median - ratio.low for _, ratio in found],
            [ratio.high - ratio.median for _, ratio in found],
        )
        heights = [ratio.median for _, ratio in found]
        places = [place for place, _ in found]
        axes.bar(places, heights, label=peer, yerr=whiskers, capsize=2, **style)


def _legend(axes: Any) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _lines(axes: Any, result: WorkResult, *, colours: Colours) -> None:
    """Draw the cost of a request over the number of open connections."""
    steps = [metric for metric in result.work.metrics if "_at_" in metric.name]
    for peer in result.measurements:
        points = [
            (int(metric.name.rpartition("_")[2]), value)
            for metric in steps
            if (value := result.median(peer, metric)) is not None
        ]
        if points:
            axes.plot(*zip(*points, strict=True), marker="o", label=peer, color=colours.get(peer))
    axes.set_xscale("log")
    axes.set_ylim(0, 1.1 * axes.get_ylim()[1])
    axes.set_xlabel("open connections")
    axes.set_ylabel("CPU per request, µs")
    axes.set_title(result.work.title)
    _legend(axes)
