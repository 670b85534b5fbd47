"""`spliceproxy replay`: a capture once more, against a server."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.bench import children, placement, ports, spent
from tools.bench.errors import BenchError

MARGIN_S = 120.0


@dataclass(frozen=True)
class Replay:
    """How one went."""

    summary: dict[str, Any]
    cpu_s: float  # of the command from its start to its end, imports included
    most_resident_bytes: int

    @property
    def seconds(self) -> float:
        """How long it took, without the start of the interpreter."""
        return float(self.summary["seconds"])

    @property
    def left_out(self) -> int:
        """Connections that were not replayed to their ends."""
        found = self.summary["connections"]
        failed = sum(found["failed"].values()) + sum(found["skipped"].values())
        return int(failed + found["interrupted"])


def parse(text: str) -> dict[str, Any]:
    """Read the summary, which comes last; lines of complaints may stand before it."""
    try:
        summary: dict[str, Any] = json.loads(text[text.index("\n{\n") if text[0] != "{" else 0 :])
        summary["connections"], summary["seconds"]
    except (ValueError, LookupError):
        raise BenchError("replay: no summary") from None
    return summary


def run(
    command: Sequence[str],
    capture: Path,
    port: int,
    where: placement.Placement,
    directory: Path,
    *options: str,
    seconds: float = 0.0,
) -> Replay:
    """Replay a capture from the proxy's CPU; it may take a while longer than so many seconds."""
    argv = [*placement.taskset(where.proxy_cpus), *command, "replay", str(capture)]
    argv += ["--to", f"{ports.HOST}:{port}", *options]
    with children.running("replay", argv, directory) as child:
        used = spent.until_end(child, seconds + MARGIN_S)
    if used.status not in (0, 1):  # with 1 there is a summary, too
        raise BenchError(f"replay failed (status {used.status}): {child.last_words()}")
    return Replay(parse(used.output), used.cpu_s, used.most_resident_bytes)
