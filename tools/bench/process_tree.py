"""What a program and all its descendants use: CPU seconds, resident memory, file descriptors."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
CPUCLOCK_SCHED = 2  # linux/posix-timers.h: the scheduler's nanosecond clock


@dataclass(frozen=True)
class ProcessStat:
    """The fields of /proc/PID/stat that matter here."""

    pid: int
    parent_pid: int
    reaped_children_cpu_s: float
    resident_bytes: int


def parse_stat(text: str) -> ProcessStat:
    """Read one /proc/PID/stat; the program's name in it may hold spaces and parentheses."""
    pid, _, rest = text.partition(" ")
    fields = rest.rpartition(")")[2].split()
    return ProcessStat(
        pid=int(pid),
        parent_pid=int(fields[1]),
        reaped_children_cpu_s=(int(fields[13]) + int(fields[14])) / TICKS_PER_S,
        resident_bytes=int(fields[21]) * PAGE_BYTES,
    )


def tree(root_pid: int) -> list[ProcessStat]:
    """Return the process and its descendants as they are now."""
    children: dict[int, list[ProcessStat]] = {}
    found: list[ProcessStat] = []
    for stat in _all_processes():
        children.setdefault(stat.parent_pid, []).append(stat)
        if stat.pid == root_pid:
            found.append(stat)
    for stat in found:  # grows while it is walked: breadth first
        found.extend(children.get(stat.pid, ()))
    return found


def _all_processes() -> Iterator[ProcessStat]:
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                yield parse_stat(Path(entry.path, "stat").read_text())
            except (FileNotFoundError, ProcessLookupError):
                continue  # ended while we looked


def cpu_s(root_pid: int) -> float:
    """Return the CPU seconds of the tree, children that ended and were waited for included.

    The per-process CPU clock counts nanoseconds over all threads, ended ones too;
    /proc/PID/stat would give the same sum rounded to 10 ms.
    """
    total = 0.0
    for stat in tree(root_pid):
        total += stat.reaped_children_cpu_s
        try:
            total += time.clock_gettime_ns((~stat.pid << 3) | CPUCLOCK_SCHED) / 1e9
        except OSError:
            continue  # ended while we looked; its parent's counter has it
    return total


@cache
def _ksoftirqd_pids() -> dict[int, int]:
    """Return the kernel's softirq threads by CPU, as far as this pid namespace shows them."""
    found: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/comm"):
        with suppress(FileNotFoundError, ProcessLookupError):
            name, _, cpu = entry.read_text().strip().partition("/")
            if name == "ksoftirqd":
                found[int(cpu)] = int(entry.parent.name)
    return found


def ksoftirqd_s(cpus: frozenset[int] | None) -> float:
    """Return the CPU seconds of the softirq threads of these CPUs."""
    pids = _ksoftirqd_pids()
    schedstats = (Path(f"/proc/{pids[cpu]}/schedstat") for cpu in cpus or () if cpu in pids)
    return sum(int(path.read_text().split()[0]) for path in schedstats) / 1e9


def resident_bytes(root_pid: int) -> int:
    """Return the resident memory of the tree; pages shared by two processes count twice."""
    return sum(stat.resident_bytes for stat in tree(root_pid))


def open_descriptors(root_pid: int) -> int:
    """Return how many file descriptors the tree holds."""
    return sum(len(list(Path(f"/proc/{stat.pid}/fd").iterdir())) for stat in tree(root_pid))
