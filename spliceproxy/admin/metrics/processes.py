"""What is measured of the proxy's processes."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from prometheus_client.core import Metric

from spliceproxy.admin.metrics.families import counter, gauge
from spliceproxy.observe.status import Status

_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

# Of what follows a process's name in its stat file (proc_pid_stat(5)): fields 14, 15 and 24.
_UTIME, _STIME, _RSS = 11, 12, 21


def process_metrics(status: Status) -> Iterator[Metric]:
    """Metrics of master, admin process and workers."""
    cpu = counter("process_cpu_seconds", "CPU time of a process.", ("process",))
    memory = gauge("process_resident_memory_bytes", "Memory of a process.", ("process",))
    descriptors = gauge("process_open_fds", "Open descriptors of a process.", ("process",))
    for name, pid in (
        ("master", status.pid),
        ("admin", os.getpid()),
        *((f"worker {worker.slot}", worker.pid) for worker in status.workers),
    ):
        directory = Path("/proc", str(pid))
        try:
            fields = (directory / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        cpu.add_metric([name], (int(fields[_UTIME]) + int(fields[_STIME])) / _CLOCK_TICKS)
        memory.add_metric([name], int(fields[_RSS]) * _PAGE_BYTES)
        if open_descriptors := _count_descriptors(directory / "fd"):
            descriptors.add_metric([name], open_descriptors)
    yield from (cpu, memory, descriptors)


def _count_descriptors(directory: Path) -> int:
    """Count them; 0 where they are not this process's to see.

    Those of another user's process, and of one that has changed its user, may be counted since
    Linux 6.2, where their number is the size of the directory (proc_pid_fd(5)).
    """
    try:
        return sum(1 for _ in directory.iterdir())
    except OSError:
        with suppress(OSError):  # it has just ended
            return directory.stat().st_size
    return 0
