"""Memory that connections cost the host: the proxy's own and the kernel's.

MemAvailable is no measure for it: pages on the per-CPU free lists count as used, and freed
sockets stay in slabs for a while, so its change for 2,500 connections varied from 0 to 80 MB. The
sum of what can be attributed repeats within a few per cent: private memory of the process tree,
its page tables, and the kernel's slabs (sockets, inodes, epoll entries, pipe rings), which are
shrunk to what is in use before each reading.
"""

import re
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tools.bench import machine, process_tree

SHRINK_FILES = "/sys/kernel/slab"
SOCKETS_SETTLE_S = 0.3  # closed sockets are freed a little later
COUNTERS_SETTLE_S = 1.1  # the kernel folds its per-CPU counters into /proc/meminfo once a second


def can_shrink_slabs() -> bool:
    """Tell whether slabs can be shrunk (root); without it freed sockets blur the figures."""
    try:
        Path(SHRINK_FILES, "TCP", "shrink").write_text("1")
    except OSError:
        return False
    return True


@dataclass(frozen=True)
class Kernel:
    """The kernel's slabs: their memory, and how many TCP sockets are in them."""

    slab_bytes: int
    tcp_sockets: int | None  # None where it cannot be read


def parse_tcp_sockets(slabinfo: str) -> int | None:
    """Read the number of TCP sockets over IPv4 from /proc/slabinfo."""
    found = re.search(r"^TCP\s+(\d+)", slabinfo, re.MULTILINE)
    return int(found[1]) if found else None


def kernel() -> Kernel:
    """Look at the kernel's slabs after making it give back what is not in use."""
    time.sleep(SOCKETS_SETTLE_S)
    for cache in Path(SHRINK_FILES).glob("*/shrink"):
        with suppress(OSError):
            cache.write_text("1")
    time.sleep(COUNTERS_SETTLE_S)
    entries = machine.parse_meminfo(Path("/proc/meminfo").read_text())
    try:
        slabinfo = Path("/proc/slabinfo").read_text()
    except OSError:
        slabinfo = ""
    return Kernel(entries["SUnreclaim"] + entries["SReclaimable"], parse_tcp_sockets(slabinfo))


def parse_private(rollup: str, status: str) -> int:
    """Read smaps_rollup and status of one process: its share of memory, and its page tables."""
    share = re.search(r"^Pss_Anon:\s+(\d+) kB$", rollup, re.MULTILINE)
    tables = re.search(r"^VmPTE:\s+(\d+) kB$", status, re.MULTILINE)
    return sum(int(found[1]) * 1024 for found in (share, tables) if found)


def private_bytes(root_pid: int) -> int:
    """Return the memory that only this process tree has; pages shared after a fork count once."""
    return sum(
        parse_private(
            Path(f"/proc/{stat.pid}/smaps_rollup").read_text(),
            Path(f"/proc/{stat.pid}/status").read_text(),
        )
        for stat in process_tree.tree(root_pid)
    )
