"""redis-benchmark: request and answer in turn on each of many connections."""

import csv
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.bench import children, placement, ports
from tools.bench.errors import BenchError

PROBE_REQUESTS = 2_000
POLL_S = 0.01
MARGIN_S = 30.0
# The middle of a run: connecting, warming up and closing stay outside.
WINDOW_START, WINDOW_END = 0.1, 0.9


@dataclass(frozen=True)
class Report:
    """One line of `redis-benchmark --csv`."""

    rate_per_s: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Window:
    """The steady middle of a run: requests that the server counted, and what they cost."""

    requests: int
    elapsed_s: float
    cpu_s: float
    p50_ms: float
    p99_ms: float


def parse(text: str) -> Report:
    """Read the output of one test, warnings before the CSV included."""
    lines = text.splitlines()
    start = next((i for i, line in enumerate(lines) if line.startswith('"test"')), len(lines))
    rows = list(csv.DictReader(lines[start:]))
    if len(rows) != 1:
        raise BenchError("redis-benchmark: unreadable report")
    row = rows[0]
    return Report(
        rate_per_s=float(row["rps"]),
        p50_ms=float(row["p50_latency_ms"]),
        p99_ms=float(row["p99_latency_ms"]),
    )


def parse_info(text: str, field: str) -> int:
    """Read one number of redis-server's INFO."""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value)
    raise BenchError(f"redis-server: no {field} in INFO")


class ServerCounters:
    """A connection straight to the server, beside the proxy, that reads its counters."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((ports.HOST, port))
        self._answers = self._socket.makefile("rb")

    def close(self) -> None:
        self._answers.close()
        self._socket.close()

    def read(self, section: str, field: str) -> int:
        self._socket.sendall(f"INFO {section}\r\n".encode())
        length = int(self._answers.readline()[1:])
        text = self._answers.read(length + 2).decode()
        return parse_info(text, field)

    def commands(self) -> int:
        return self.read("stats", "total_commands_processed")

    def clients(self) -> int:
        return self.read("clients", "connected_clients")


@dataclass(frozen=True)
class Load:
    """Where the requests go, over how many connections, and how the proxy's CPU is read."""

    port: int
    connections: int
    where: placement.Placement
    directory: Path
    counters: ServerCounters
    proxy_cpu_s: Callable[[], float]
    options: Sequence[str] = ()

    def argv(self, command: str, requests: int) -> list[str]:
        argv = [*placement.taskset(self.where.load_cpus), "redis-benchmark", "--csv"]
        argv += ["-h", ports.HOST, "-p", str(self.port), "-c", str(self.connections)]
        return [*argv, *self.options, "-t", command, "-n", str(requests)]

    def run(self, command: str, seconds: float) -> Window:
        """Run for about this long: a short probe warms the proxy and tells the rate."""
        probe_requests = max(PROBE_REQUESTS, 4 * self.connections)
        argv = self.argv(command, probe_requests)
        probe = parse(children.run_to_end("redis-benchmark", argv, self.directory, MARGIN_S))
        requests = max(probe_requests, int(probe.rate_per_s * seconds))
        argv = self.argv(command, requests)
        with children.running("redis-benchmark", argv, self.directory) as child:
            first = self._wait_for(self.counters.commands() + WINDOW_START * requests, child)
            last = self._wait_for(first[0] + (WINDOW_END - WINDOW_START) * requests, child)
            report = parse(children.collect(child, seconds + MARGIN_S))
        return Window(
            requests=last[0] - first[0],
            elapsed_s=last[1] - first[1],
            cpu_s=last[2] - first[2],
            p50_ms=report.p50_ms,
            p99_ms=report.p99_ms,
        )

    def _wait_for(self, commands: float, child: children.Child) -> tuple[int, float, float]:
        """Return commands, time and CPU seconds once the server has seen that many commands."""
        while True:
            seen = self.counters.commands(), time.monotonic(), self.proxy_cpu_s()
            if seen[0] >= commands or child.process.poll() is not None:
                return seen
            time.sleep(POLL_S)
