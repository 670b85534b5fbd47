"""wrk: HTTP requests, on connections that stay open or on one of its own each."""

import re
from dataclasses import dataclass
from pathlib import Path

from tools.bench import children, placement, ports
from tools.bench.errors import BenchError

CONNECTIONS = 50
MARGIN_S = 15.0
UNITS_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 60e3}


@dataclass(frozen=True)
class Answers:
    """Requests answered, and how long that took."""

    requests: int
    rate_per_s: float
    p50_ms: float
    p99_ms: float
    failed: int


def parse(text: str) -> Answers:
    """Read the report of `wrk --latency`."""
    requests = re.search(r"^\s*(\d+) requests in ", text, re.MULTILINE)
    rate = re.search(r"^Requests/sec:\s*([\d.]+)", text, re.MULTILINE)
    percentiles = {
        percent: float(number) * UNITS_MS[unit]
        for percent, number, unit in re.findall(
            r"^\s*(\d+)%\s+([\d.]+)(us|ms|s|m)\s*$", text, re.MULTILINE
        )
    }
    if not requests or not rate or not {"50", "99"} <= percentiles.keys():
        raise BenchError("wrk: unreadable report")
    return Answers(
        requests=int(requests[1]),
        rate_per_s=float(rate[1]),
        p50_ms=percentiles["50"],
        p99_ms=percentiles["99"],
        failed=_failed(text),
    )


def _failed(text: str) -> int:
    errors = re.search(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text
    )
    bad_answers = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    total = sum(int(count) for count in errors.groups()) if errors else 0
    return total + (int(bad_answers[1]) if bad_answers else 0)


def run(
    port: int,
    seconds: float,
    where: placement.Placement,
    directory: Path,
    *,
    path: str = "/",
    connections: int = CONNECTIONS,
    stays_open: bool = False,
) -> Answers:
    whole_seconds = max(1, round(seconds))  # wrk takes whole seconds only
    argv = [*placement.taskset(where.load_cpus), "wrk", "--latency", "--threads", "1"]
    argv += ["--connections", str(connections), "--duration", f"{whole_seconds}s"]
    argv += [] if stays_open else ["--header", "Connection: close"]
    argv += [f"http://{ports.HOST}:{port}{path}"]
    return parse(children.run_to_end("wrk", argv, directory, whole_seconds + MARGIN_S))
