"""What the kernel tells about processes: children, open descriptors, listening ports."""

import os
import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

POLL_INTERVAL_S = 0.02
AUDIT_DAY = re.compile(r"/\d{4}-\d{2}-\d{2}( \(deleted\))?$")
"""Where a path ends in that, it is a directory that a `file:` mirror keeps open."""


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def descriptors(pid: int) -> Counter[str]:
    """Count the open descriptors by kind: "socket", "pipe", "anon_inode" or "file"."""
    kinds: Counter[str] = Counter()
    try:
        links = list(Path(f"/proc/{pid}/fd").iterdir())
    except FileNotFoundError:
        return kinds  # it has ended since it was found
    for link in links:
        try:
            target = str(link.readlink())
        except FileNotFoundError:
            continue  # closed since the directory was read
        if AUDIT_DAY.search(target):
            continue
        kind, colon, _ = target.partition(":")
        kinds[kind if colon and not kind.startswith("/") else "file"] += 1
    return kinds


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_with_ended_children_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def is_listening(port: int) -> bool:
    """Tell without a connection, which some servers would take for a client."""
    return any(_listens(Path(f"/proc/net/{table}"), port) for table in ("tcp", "tcp6"))


def _listens(table: Path, port: int) -> bool:
    # Sockets that listen come first (tcp_get_idx in Linux's net/ipv4/tcp_ipv4.c). The others may be
    # tens of thousands in TIME_WAIT after a test with many clients: seconds on a busy machine.
    listening = "0A"
    with table.open() as lines:
        next(lines)
        for line in lines:
            _, local, _, state, *_ = line.split()
            if state != listening:
                return False
            if int(local.rpartition(":")[2], 16) == port:
                return True
    return False


def wait_until(condition: Callable[[], object], timeout_s: float, what: str) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, f"not within {timeout_s:g} s: {what}"
        time.sleep(POLL_INTERVAL_S)
