"""iperf3: bulk transfer from client to server over one or more streams."""

import json
from dataclasses import dataclass
from pathlib import Path

from tools.bench import children, placement, ports
from tools.bench.errors import BenchError

MARGIN_S = 15.0
SLOWEST_BYTES_PER_S = 50e6  # a transfer below this is given up


@dataclass(frozen=True)
class Transfer:
    """What arrived at the server."""

    received_bytes: int
    bytes_per_s: float


def parse(text: str) -> Transfer:
    """Read the report of `iperf3 --json`."""
    try:
        report = json.loads(text)
        if "error" in report:
            raise BenchError(f"iperf3: {report['error']}")
        received = report["end"]["sum_received"]
        return Transfer(int(received["bytes"]), float(received["bits_per_second"]) / 8)
    except (ValueError, KeyError) as error:
        raise BenchError(f"iperf3: unreadable report ({error!r})") from error


def run(
    port: int, streams: int, seconds: float, where: placement.Placement, directory: Path
) -> Transfer:
    # iperf3 takes whole seconds only.
    whole_seconds = max(1, round(seconds))
    argv = [*_client(port, streams, where), "--time", str(whole_seconds)]
    return parse(children.run_to_end("iperf3", argv, directory, whole_seconds + MARGIN_S))


def run_bytes(
    port: int,
    size_bytes: int,
    where: placement.Placement,
    directory: Path,
    bytes_per_s: int = 0,
) -> Transfer:
    """Transfer so much over one stream, at this rate or (0) as fast as it goes."""
    argv = [*_client(port, 1, where), "--bytes", str(size_bytes)]
    argv += ["--bitrate", str(8 * bytes_per_s)]
    timeout_s = size_bytes / SLOWEST_BYTES_PER_S + MARGIN_S
    return parse(children.run_to_end("iperf3", argv, directory, timeout_s))


def _client(port: int, streams: int, where: placement.Placement) -> list[str]:
    argv = [*placement.taskset(where.load_cpus), "iperf3", "--json", "--client", ports.HOST]
    return [*argv, "--port", str(port), "--parallel", str(streams)]
