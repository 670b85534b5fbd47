"""tcpdump: a capture of everything that one port carries on loopback."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.bench import children, placement
from tools.bench.errors import BenchError

READY = "listening on"
DEFAULT_BUFFER = "2 MiB"  # libpcap's, where -B is not given


@dataclass(frozen=True)
class Counts:
    """Packets, as tcpdump counts them when it ends."""

    captured: int
    dropped_by_kernel: int


def parse(text: str) -> Counts:
    """Read the lines that tcpdump ends with."""
    captured = re.search(r"^(\d+) packets? captured", text, re.MULTILINE)
    dropped = re.search(r"^(\d+) packets? dropped by kernel", text, re.MULTILINE)
    if not captured or not dropped:
        raise BenchError("tcpdump: ended without its counts")
    return Counts(int(captured[1]), int(dropped[1]))


@contextmanager
def capturing(
    port: int, capture: Path, where: placement.Placement, directory: Path
) -> Iterator[children.Child]:
    """Capture the port, on the proxy's CPU: that is where mirrors of spliceproxy run too."""
    argv = [*placement.taskset(where.proxy_cpus), "tcpdump", "-i", "lo", "-n", "-Z", "root"]
    argv += ["-w", str(capture), "port", str(port)]
    with children.running("tcpdump", argv, directory) as child:
        child.wait_until(lambda: READY in child.output.read_text(errors="replace"), READY)
        yield child
