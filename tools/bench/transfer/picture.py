"""The picture of a run: cost by technique and buffer, by file size, and by pipe size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tools.bench.errors import BenchError
from tools.bench.picture import new_figure, save
from tools.bench.results import Results, WorkResult
from tools.bench.transfer import files, pipes, relays, sizes
from tools.bench.transfer.trial import CPU, size_name

_WIDTH, _HEIGHT = 11.0, 8.0
_BAR_WIDTH = 0.8
_HIGHEST_RATIO = 3.0  # mmap, splice and vmsplice cost several times as much for a tiny file


def draw(results: Results, path: Path) -> None:
    """Write the picture; the ending of the path names the format (png, svg).

    Raises:
        BenchError: nothing was measured that it shows.
    """
    by_name = {result.work.name: result for result in results.works}
    if not by_name:
        raise BenchError("picture: nothing was measured")
    figure, ((warm, by_size), (relay, by_pipe)) = new_figure(2, 2, (_WIDTH, _HEIGHT))
    _bars(warm, by_name.get(files.WARM), "file in memory → socket")
    _bars(relay, by_name.get(relays.RELAY), "socket → socket")
    _sizes(by_size, by_name.get(sizes.SIZES_NAME))
    _pipes(by_pipe, [by_name[name] for name in (pipes.FILE, pipes.RELAY) if name in by_name])
    save(figure, path)


def _bars(axes: Any, result: WorkResult | None, title: str) -> None:
    """Draw the CPU of each technique with each buffer."""
    axes.set_title(f"{title}: CPU per GB, s")
    if result is None:
        return
    methods = list(dict.fromkeys(name.split()[0] for name in result.measurements))
    width = _BAR_WIDTH / len(files.BUFFER_SIZES)
    for number, size_bytes in enumerate(files.BUFFER_SIZES):
        costs = [result.median(f"{method} {size_name(size_bytes)}", CPU) or 0 for method in methods]
        places = [place + number * width for place in range(len(methods))]
        axes.bar(places, costs, width, label=size_name(size_bytes))
    axes.set_xticks([place + width for place in range(len(methods))], methods)
    axes.legend(fontsize="small", title="at once")


def _sizes(axes: Any, result: WorkResult | None) -> None:
    """Draw each technique's CPU as a ratio to copying: above the line copying wins."""
    axes.set_title("a whole file: CPU against copying")
    if result is None:
        return
    costs = result.work.metrics
    labels = [metric.title for metric in costs]
    for method in result.measurements:
        ratios = [result.ratio(method, metric) for metric in costs]
        heights = [ratio.median if ratio else float("nan") for ratio in ratios]
        axes.plot(range(len(costs)), heights, marker="o", label=method)
    axes.set_xticks(range(len(costs)), labels, rotation=45, fontsize="small")
    axes.set_ylim(0, min(axes.get_ylim()[1], _HIGHEST_RATIO))
    axes.legend(fontsize="small")


def _pipes(axes: Any, results: list[WorkResult]) -> None:
    """Draw the CPU over the size of the pipe, the one that grows at the end."""
    axes.set_title("through a pipe, by its size: CPU per GB, s")
    for result in results:
        names = list(result.measurements)
        costs = [result.median(name, CPU) or float("nan") for name in names]
        axes.plot(range(len(names)), costs, marker="o", label=result.work.name)
        axes.set_xticks(range(len(names)), names)
    if results:
        axes.set_ylim(bottom=0)
        axes.legend(fontsize="small")
