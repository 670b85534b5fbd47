"""A trial: contestants that do the same work in turns, and the figures that each gives."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tools.bench import machine
from tools.bench.errors import BenchError
from tools.bench.results import Measurement, WorkResult
from tools.bench.rounds import turns
from tools.bench.transfer.cache_misses import EventCounter
from tools.bench.transfer.stage import Stage
from tools.bench.works.work import Metric, Sample, Subject

THROUGHPUT = Metric(
    "throughput_bytes_per_s", "throughput", "GB/s", is_higher_better=True, scale=1e-9, decimals=2
)
CPU = Metric("cpu_s_per_gb", "CPU per GB", "s", decimals=3)
SYSCALLS = Metric("syscalls_per_mib", "calls per MiB", "", decimals=1, comparison="none")
SWITCHES = Metric("switches_per_gb", "context switches per GB", "", comparison="none")
FAULTS = Metric("page_faults_per_gb", "page faults per GB", "", comparison="none")
CACHE_MISSES = Metric("cache_misses_per_gb", "cache misses per GB", "", comparison="none")

BULK = (THROUGHPUT, CPU, SYSCALLS, SWITCHES, FAULTS, CACHE_MISSES)
"""What is told of techniques that move much: a column without figures is left out of the report."""

Measure = Callable[[Stage], Sample]


@dataclass(frozen=True)
class Trial(Subject):
    """One table: ratios are taken to the contestant that is named as the baseline."""

    contestants: Mapping[str, Measure]
    baseline: str

    def run(self, stage: Stage, rounds: int) -> WorkResult:
        """Let the contestants take turns; one that fails loses that round only."""
        measurements: dict[str, list[Measurement]] = {name: [] for name in self.contestants}
        for number, name in turns(list(self.contestants), rounds):
            print(f"{self.name}: round {number + 1}/{rounds}: {name}", file=sys.stderr)
            measurements[name].append(self._measure(name, stage))
        return WorkResult(self, (self.baseline,), measurements)

    def _measure(self, name: str, stage: Stage) -> Measurement:
        began_s, foreign_before_s = time.monotonic(), machine.foreign_s()
        sample, error = {}, ""
        try:
            sample = self.contestants[name](stage)
        except BenchError as failure:
            error = str(failure)
            print(f"{self.name}: {name}: {error}", file=sys.stderr)
        capacity_s = (time.monotonic() - began_s) * machine.cpu_count()
        return Measurement(sample, error, (machine.foreign_s() - foreign_before_s) / capacity_s)


class Clock:
    """Time and costs of this process since it was made, all its threads' in user and system mode.

    On loopback a sender's CPU also carries the packets into the receiver's socket: the same for
    every technique.
    """

    def __init__(self, cache_misses: EventCounter | None = None) -> None:
        self._counter = cache_misses
        self._misses = cache_misses.read() if cache_misses else 0
        self._usage = resource.getrusage(resource.RUSAGE_SELF)
        self._began_s, self._cpu_s = time.monotonic(), time.process_time()

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._began_s

    @property
    def cpu_s(self) -> float:
        return time.process_time() - self._cpu_s

    def events(self, names: tuple[Metric, Metric, Metric], per: float) -> Sample:
        """Return context switches, page faults and cache misses (where counted) for each `per`."""
        now, before = resource.getrusage(resource.RUSAGE_SELF), self._usage
        switches = now.ru_nvcsw + now.ru_nivcsw - before.ru_nvcsw - before.ru_nivcsw
        faults = now.ru_minflt + now.ru_majflt - before.ru_minflt - before.ru_majflt
        counts: list[int] = [switches, faults]
        if self._counter:
            counts.append(self._counter.read() - self._misses)
        return {metric.name: count / per for metric, count in zip(names, counts, strict=False)}

    def sample(self, moved_bytes: int) -> Sample:
        gigabytes = moved_bytes / 1e9
        return {
            THROUGHPUT.name: moved_bytes / self.elapsed_s,
            CPU.name: self.cpu_s / gigabytes,
            **self.events((SWITCHES, FAULTS, CACHE_MISSES), gigabytes),
        }


def size_name(size_bytes: int) -> str:
    """Return a size as people write it."""
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:g} {unit}"
    return f"{size_bytes} B"
