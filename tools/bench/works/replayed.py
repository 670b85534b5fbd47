"""The works for replays: as fast as it goes, in recorded times, and of a large capture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tools.bench import children, mirror_peers, peers, placement, ports, recordings, spent
from tools.bench.errors import BenchError
from tools.bench.loads import redis_benchmark, replay
from tools.bench.works import request_response
from tools.bench.works.work import Metric, Sample, Subject

REQUESTS, TIMED = "rr50", "timed"
MEMORY = {"memory-max": "max", "memory-timed": "timed"}
REDIS_BENCHMARK = "redis-benchmark"
SMALL, LARGE = "a tenth", "all"
CONNECTIONS = 50
REQUESTS_OF_EACH = 10
GAP_S = 0.25
VALUE_BYTES = 16 << 10
BYTES_PER_S = 50_000_000  # far more is read at a time, so that what is read ahead is full

LAG_P50 = Metric("lag_p50_ms", "lag p50", "ms", decimals=2)
LAG_P99 = Metric("lag_p99_ms", "lag p99", "ms", decimals=2)
LAG_MAX = Metric("lag_max_ms", "lag at most", "ms", decimals=2)
REACHED = Metric("reached_of_wanted", "reached of wanted", "", is_higher_better=True, decimals=3)
LEFT_OUT = Metric("left_out", "left out", "connections")
READ_AHEAD = Metric("read_ahead_bytes", "read ahead", "MB", scale=1e-6, decimals=1)
RESIDENT = Metric("most_resident_bytes", "most memory", "MB", scale=1e-6, decimals=1)


@dataclass(frozen=True)
class Scene:
    """A running redis, the command that replays, and room for captures."""

    command: Sequence[str]
    port: int
    where: placement.Placement
    directory: Path

    def replay(self, capture: Path, *options: str, seconds: float = 0.0) -> replay.Replay:
        return replay.run(
            self.command, capture, self.port, self.where, self.directory, *options, seconds=seconds
        )


@dataclass(frozen=True)
class ReplayWork(Subject):
    """Captures that are made once, and who takes turns; ratios are taken to the first of them."""

    record: Callable[[Scene], None]
    contestants: Mapping[str, Callable[[Scene], Sample]]
    most_rounds: int = 100


def requests(count: int) -> ReplayWork:
    """Small requests, recorded from redis-benchmark through a proxy, and replayed."""

    def record(scene: Scene) -> None:
        capture = scene.directory / REQUESTS
        options = ("--mirror", f"capture:{capture}{mirror_peers.BLOCK}")
        peer = peers.spliceproxy(command=scene.command, options=options)
        with peers.started(peer, scene.port, scene.where, scene.directory) as target:
            _benchmark(scene, target.port, count)

    def at_pace(pace: str) -> Callable[[Scene], Sample]:
        return lambda scene: _rate(scene, pace)

    return ReplayWork(
        name=REQUESTS,
        title=f"{2 * count:,} requests, {CONNECTIONS} connections (redis-benchmark SET, GET)",
        metrics=(request_response.RATE, request_response.CPU),
        record=record,
        contestants={
            REDIS_BENCHMARK: lambda scene: _benchmark(scene, scene.port, count),
            "max": at_pace("max"),
            "answers": at_pace("answers"),
        },
    )


def _benchmark(scene: Scene, port: int, count: int) -> Sample:
    """Let redis-benchmark make the same requests: where the replay runs, so that both have it."""
    seconds = cpu_s = 0.0
    for command in request_response.COMMANDS:
        argv = [*placement.taskset(scene.where.proxy_cpus), "redis-benchmark", "--csv", "-P", "1"]
        argv += ["-h", ports.HOST, "-p", str(port), "-c", str(CONNECTIONS)]
        argv += ["-t", command, "-n", str(count)]
        with children.running(REDIS_BENCHMARK, argv, scene.directory) as child:
            used = spent.until_end(child, redis_benchmark.MARGIN_S + count / 1000)
        if used.status:
            raise BenchError(f"{REDIS_BENCHMARK} failed: {child.last_words()}")
        seconds += count / redis_benchmark.parse(used.output).rate_per_s
        cpu_s += used.cpu_s
    total = count * len(request_response.COMMANDS)
    return {
        request_response.RATE.name: total / seconds,
        request_response.CPU.name: cpu_s / total * 1e6,
    }


def _rate(scene: Scene, pace: str) -> Sample:
    with closing(redis_benchmark.ServerCounters(scene.port)) as counters:
        before = counters.commands()
        done = scene.replay(scene.directory / REQUESTS, "--pace", pace)
        total = counters.commands() - before - 1  # the question itself is one
    if done.left_out:
        raise BenchError(f"{done.left_out} connections were not replayed")
    return {
        request_response.RATE.name: total / done.seconds,
        request_response.CPU.name: done.cpu_s / total * 1e6,
    }


def timed(connections: int, seconds: float) -> ReplayWork:
    """Connections that begin at random over some seconds, and ask now and then."""

    def record(scene: Scene) -> None:
        talks = recordings.arrivals(connections, seconds, REQUESTS_OF_EACH, GAP_S)
        recordings.write(scene.directory / TIMED, talks)

    def measure(scene: Scene) -> Sample:
        done = scene.replay(scene.directory / TIMED, "--pace", "timed", seconds=seconds)
        lags, rates = done.summary["lag_ms"], done.summary["connections_per_second"]
        return {
            LAG_P50.name: lags["p50"],
            LAG_P99.name: lags["p99"],
            LAG_MAX.name: lags["max"],
            REACHED.name: rates["reached"] / rates["wanted"],
            LEFT_OUT.name: done.left_out,
            request_response.CPU_USE.name: done.cpu_s / done.seconds,
        }

    return ReplayWork(
        name=TIMED,
        title=f"{connections:,} connections over {seconds:g} s, {REQUESTS_OF_EACH} requests each",
        metrics=(LAG_P50, LAG_P99, LAG_MAX, REACHED, LEFT_OUT, request_response.CPU_USE),
        record=record,
        contestants={"timed": measure},
        most_rounds=1,  # a minute is long enough to have what disturbs it in it
    )


def memory(name: str, size_bytes: int) -> ReplayWork:
    """Captures of two sizes, of connections that stay open over all of it."""
    sizes = {SMALL: size_bytes // 10, LARGE: size_bytes}

    def record(scene: Scene) -> None:
        for count in sizes.values():
            path = scene.directory / f"{count}-bytes"
            if not path.exists():
                talks = recordings.long_talks(CONNECTIONS, count, VALUE_BYTES, BYTES_PER_S)
                recordings.write(path, talks)

    def of_size(count: int) -> Callable[[Scene], Sample]:
        def measure(scene: Scene) -> Sample:
            done = scene.replay(scene.directory / f"{count}-bytes", "--pace", MEMORY[name])
            return {
                RESIDENT.name: done.most_resident_bytes,
                READ_AHEAD.name: done.summary["read_ahead_bytes"],
                LEFT_OUT.name: done.left_out,
            }

        return measure

    return ReplayWork(
        name=name,
        title=f"{size_bytes / 1e6:g} MB, and a tenth of it, --pace {MEMORY[name]}",
        metrics=(RESIDENT, READ_AHEAD, LEFT_OUT),
        record=record,
        contestants={size: of_size(count) for size, count in sizes.items()},
        most_rounds=2,
    )
