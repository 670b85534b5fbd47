"""What an action takes: time, CPU and page faults of this process."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """Minor faults found their page in memory, or made one; major ones waited for a disk."""

    elapsed_s: float
    cpu_s: float
    minor_faults: int
    major_faults: int


def cost_of(action: Callable[[], object]) -> Cost:
    before = resource.getrusage(resource.RUSAGE_SELF)
    began_s, cpu_s = time.perf_counter(), time.process_time()
    action()
    elapsed_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    after = resource.getrusage(resource.RUSAGE_SELF)
    return Cost(
        elapsed_s,
        cpu_s,
        after.ru_minflt - before.ru_minflt,
        after.ru_majflt - before.ru_majflt,
    )
