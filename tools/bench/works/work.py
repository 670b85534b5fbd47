"""What a work is: a load, the origin that it needs, and the figures that it gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tools.bench import origins, peers, process_tree
from tools.bench.placement import Placement

RATIO_SIGN = "\N{MULTIPLICATION SIGN}"
Sample = dict[str, float]


@dataclass(frozen=True)
class Metric:
    """One figure of a work, in the unit of its name; `scale` turns it into the unit shown.

    `comparison` says what a table gives beside the figure: the ratio to the best peer with its
    range over the rounds, the ratio alone, or nothing.
    """

    name: str
    title: str
    unit: str
    is_higher_better: bool = False
    scale: float = 1.0
    decimals: int = 0
    comparison: Literal["range", "ratio", "none"] = "range"

    def shown(self, value: float) -> str:
        return f"{value * self.scale:,.{self.decimals}f} {self.unit}".strip()


@dataclass(frozen=True)
class Setting:
    """One measurement's circumstances: a running origin, a running peer, and for how long."""

    target: peers.Target
    origin: origins.Origin
    where: Placement
    directory: Path
    seconds: float

    def proxy_cpu_s(self) -> float:
        """Return the CPU seconds of the proxy so far (0 where there is no proxy).

        Under load the kernel hands packets that the proxy sent to ksoftirqd: on a CPU that is the
        proxy's own, that work is its cost as well.
        """
        pid = self.target.proxy_pid
        if pid is None:
            return 0.0
        processes_s = sum(map(process_tree.cpu_s, (pid, *self.target.helper_pids)))
        return processes_s + process_tree.ksoftirqd_s(self.where.proxy_cpus)


@dataclass(frozen=True)
class Subject:
    """What a table is about; the first metric is the one that a reader looks at first."""

    name: str
    title: str
    metrics: tuple[Metric, ...]


@dataclass(frozen=True)
class Work(Subject):
    """A load with a name, for proxies to carry."""

    programs: tuple[str, ...]
    start_origin: origins.Start
    measure: Callable[[Setting], Sample]
    conclude: Callable[[Sample], Sample] = dict  # once the proxy has ended; `dict` is a plain copy
