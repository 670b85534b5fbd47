"""openssl s_time: connections one after the other, each with a handshake and one request.

wrk and h2load don't do: wrk resumes the sessions that a server gives it tickets for, so that it
makes few full handshakes, and h2load opens its connections once.
"""

from __future__ import annotations

import re
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tools.bench import children, placement, ports
from tools.bench.errors import BenchError

PROCESSES = 8
MARGIN_S = 15.0


@dataclass(frozen=True)
class Handshakes:
    """Connections of all processes, and from when to when they ran."""

    count: int
    seconds: float


def parse(text: str, *, resumes: bool) -> int:
    """Return how many connections were made, all of the kind that was asked for.

    It prints a character for each: r for a session that was resumed, others for a new one.
    """
    found = re.search(r"^(\d+) connections in \d+ real seconds", text, re.MULTILINE)
    kinds = re.search(r"^([rt*.]+)$", text, re.MULTILINE)
    if not found or not kinds or len(kinds[1]) != int(found[1]):
        raise BenchError("s_time: unreadable report")
    count = int(found[1])
    resumed = kinds[1].count("r")
    if resumed != (count if resumes else 0):
        raise BenchError(f"s_time: {resumed} of {count} connections resumed a session")
    return count


def run(
    port: int, seconds: float, where: placement.Placement, directory: Path, *, resumes: bool
) -> Handshakes:
    """Run for about this long, in whole seconds, of which it takes up to one more."""
    whole_seconds = max(1, round(seconds))
    argv = [*placement.taskset(where.load_cpus), "openssl", "s_time", "-www", "/"]
    argv += ["-reuse" if resumes else "-new", "-time", str(whole_seconds)]
    argv += ["-connect", f"{ports.HOST}:{port}"]
    began = time.monotonic()
    with ExitStack() as stack:
        processes = [
            stack.enter_context(children.running(f"s_time-{number}", argv, directory))
            for number in range(PROCESSES)
        ]
        outputs = [children.collect(child, whole_seconds + MARGIN_S) for child in processes]
    elapsed_s = time.monotonic() - began
    return Handshakes(sum(parse(text, resumes=resumes) for text in outputs), elapsed_s)
