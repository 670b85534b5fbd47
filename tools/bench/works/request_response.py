"""Request and answer in turn: many small messages over connections that stay open."""

from collections.abc import Sequence
from contextlib import closing

from tools.bench import origins
from tools.bench.loads import redis_benchmark
from tools.bench.works.work import Metric, Sample, Setting, Work

COMMANDS = ("set", "get")
RATE = Metric("rate_per_s", "rate", "/s", is_higher_better=True)
CPU = Metric("cpu_us_per_request", "CPU per request", "µs", decimals=1)
CPU_USE = Metric("cpu_use", "CPU used", "%", scale=100, comparison="none")
P50 = Metric("p50_ms", "p50", "ms", decimals=3, comparison="ratio")
P99 = Metric("p99_ms", "p99", "ms", decimals=3, comparison="ratio")


def combine(windows: list[redis_benchmark.Window]) -> Sample:
    """Put the windows of several commands together: sums of counts, the worst of percentiles."""
    requests = sum(window.requests for window in windows)
    elapsed_s = sum(window.elapsed_s for window in windows)
    cpu_s = sum(window.cpu_s for window in windows)
    return {
        RATE.name: requests / elapsed_s,
        CPU.name: cpu_s / requests * 1e6,
        CPU_USE.name: cpu_s / elapsed_s,
        P50.name: max(window.p50_ms for window in windows),
        P99.name: max(window.p99_ms for window in windows),
    }


def work(connections: int, options: Sequence[str] = ()) -> Work:
    """Return the load; the options are redis-benchmark's, such as `--tls`."""

    def measure(setting: Setting) -> Sample:
        with closing(redis_benchmark.ServerCounters(setting.origin.port)) as counters:
            load = redis_benchmark.Load(
                setting.target.port,
                connections,
                setting.where,
                setting.directory,
                counters,
                setting.proxy_cpu_s,
                options,
            )
            seconds = setting.seconds / len(COMMANDS)
            sample = combine([load.run(command, seconds) for command in COMMANDS])
        if setting.target.proxy_pid is None:
            del sample[CPU.name], sample[CPU_USE.name]
        return sample

    plural = "s" if connections > 1 else ""
    return Work(
        name=f"rr{connections}",
        title=f"request/response, {connections} connection{plural} (redis-benchmark SET, GET)",
        metrics=(RATE, CPU, CPU_USE, P50, P99),
        programs=("redis-server", "redis-benchmark"),
        start_origin=origins.redis,
        measure=measure,
    )
