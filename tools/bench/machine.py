"""The machine: what it is, and how much of its CPU time others use."""

import os
import platform
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from tools.bench import network, process_tree

BUSY_FIELDS = (0, 1, 2, 5, 6, 7)  # user, nice, system, irq, softirq, steal


@dataclass(frozen=True)
class Machine:
    """What a reader needs to know to place the figures."""

    cpu_count: int
    cpu_model: str
    memory_bytes: int
    kernel: str
    congestion_control: str
    python: str

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def cpu_count() -> int:
    return os.cpu_count() or 1


def describe() -> Machine:
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return Machine(
        cpu_count=cpu_count(),
        cpu_model=model[1] if model else platform.machine(),
        memory_bytes=parse_meminfo(Path("/proc/meminfo").read_text())["MemTotal"],
        kernel=platform.release(),
        congestion_control=network.congestion_control(),
        python=platform.python_version(),
    )


def parse_meminfo(text: str) -> dict[str, int]:
    """Return the entries of /proc/meminfo in bytes."""
    entries = re.findall(r"^(\S+):\s+(\d+) kB$", text, re.MULTILINE)
    return {name: int(kibibytes) * 1024 for name, kibibytes in entries}


def file_system(path: Path, mounts: str) -> str:
    """Return the kind of file system that a path is on; `mounts` is /proc/self/mounts."""
    points = {line.split()[1]: line.split()[2] for line in mounts.splitlines()}
    resolved = path.resolve()
    return next(
        (points[str(place)] for place in (resolved, *resolved.parents) if str(place) in points), "?"
    )


def sockets_in_time_wait() -> int:
    found = re.search(r"^TCP:.* tw (\d+)", Path("/proc/net/sockstat").read_text(), re.MULTILINE)
    return int(found[1]) if found else 0


def busy_s() -> float:
    """Return the CPU seconds that all CPUs together have spent on anything at all."""
    with Path("/proc/stat").open() as lines:
        ticks = [int(field) for field in next(lines).split()[1:]]
    return sum(ticks[index] for index in BUSY_FIELDS) / process_tree.TICKS_PER_S


def foreign_s() -> float:
    """Return the CPU seconds spent by everybody but this harness and what it started."""
    return busy_s() - process_tree.cpu_s(os.getpid())
