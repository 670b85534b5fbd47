"""What a program that ends by itself has used: CPU seconds, and the most memory."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from tools.bench import children, process_tree
from tools.bench.errors import BenchError

LOOK_S = 0.02


@dataclass(frozen=True)
class Spent:
    """Of one process, with its threads; not of children."""

    status: int
    output: str
    cpu_s: float
    most_resident_bytes: int


def parse_most_resident(status: str) -> int:
    """Read /proc/PID/status; a process that has ended has no memory, and the figure is 0."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def until_end(child: children.Child, timeout_s: float) -> Spent:
    """Wait for the program's own end; look at its memory meanwhile, which is gone with it."""
    most, deadline_s = 0, time.monotonic() + timeout_s
    how = os.WEXITED | os.WNOWAIT | os.WNOHANG  # it stays there, as what it has used does
    while os.waitid(os.P_PID, child.pid, how) is None:
        status = Path(f"/proc/{child.pid}/status").read_text()
        most = max(most, parse_most_resident(status))
        if time.monotonic() > deadline_s:
            raise BenchError(f"{child.name}: no end after {timeout_s:.0f} s")
        time.sleep(LOOK_S)
    cpu_s = process_tree.cpu_s(child.pid)
    output = child.output.read_text(errors="replace")
    return Spent(child.process.wait(), output, cpu_s, most)
