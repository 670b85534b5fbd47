"""Whole files of many sizes, so that the size shows from which a technique beats copying."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tools.bench import machine
from tools.bench.transfer.files import opened, send
from tools.bench.transfer.stage import Stage, wait_acknowledged
from tools.bench.transfer.trial import Clock, Trial, size_name
from tools.bench.works.work import Metric, Sample
from tools.companions.techniques.sender import METHODS, Method

SIZES = tuple(1 << power for power in (10, 12, 14, 16, 18, 20, 24, 27, 30))
SIZES_NAME = "sizes"
BASELINE = "readwrite"
BUFFER_BYTES = 256 << 10
"""Of each call; what a sender and a file server would take: large, and fair to others."""

_PREFIX = "cpu_us_at_"
_SHARE_OF_MEMORY, _SHARE_OF_DISK = 8, 4  # at most an eighth and a fourth go to a file
_MOST_AT_ONCE = 64  # files sent before the clock is looked at again


def cost_at(size_bytes: int) -> Metric:
    """Return the CPU for a file of that size, in the unit that suits it."""
    is_large = size_bytes >= 1 << 24
    return Metric(
        f"{_PREFIX}{size_bytes}",
        size_name(size_bytes),
        "ms" if is_large else "µs",
        scale=1e-3 if is_large else 1.0,
        decimals=1,
    )


def size_of(metric: Metric) -> int:
    """Return the size that a cost is for."""
    return int(metric.name.removeprefix(_PREFIX))


def fitting(sizes: Sequence[int], directory: Path) -> list[int]:
    """Return the sizes of files that stay in this machine's memory, and fit on its disk."""
    memory = machine.parse_meminfo(Path("/proc/meminfo").read_text())["MemAvailable"]
    most_bytes = min(
        memory // _SHARE_OF_MEMORY, shutil.disk_usage(directory).free // _SHARE_OF_DISK
    )
    return [size for size in sizes if size <= most_bytes]


def _measure(method: Method, sizes: Sequence[int], stage: Stage) -> Sample:
    sample: Sample = {}
    for size_bytes in sizes:
        with opened(stage.file(size_bytes)) as fd, stage.connected("drain") as sock:
            send(method, fd, size_bytes, BUFFER_BYTES, sock)
            wait_acknowledged(sock)
            clock, count = Clock(stage.cache_misses), 0
            at_once = max(1, min(_MOST_AT_ONCE, (1 << 20) // size_bytes))
            while not count or clock.elapsed_s < stage.seconds / len(sizes):
                for _number in range(at_once):
                    send(method, fd, size_bytes, BUFFER_BYTES, sock)
                count += at_once
            wait_acknowledged(sock)
            sample[cost_at(size_bytes).name] = clock.cpu_s / count * 1e6
    return sample


def trials(sizes: Sequence[int]) -> list[Trial]:
    title = f"CPU for a whole file in memory → socket, {size_name(BUFFER_BYTES)} a call"
    return [
        Trial(
            SIZES_NAME,
            title,
            tuple(cost_at(size) for size in sizes),
            {method: partial(_measure, method, sizes) for method in METHODS},
            BASELINE,
        )
    ]
