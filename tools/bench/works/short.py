"""Short connections: each is opened, carries one request and its answer, and is closed."""

import time

from tools.bench import origins
from tools.bench.errors import BenchError
from tools.bench.loads import wrk
from tools.bench.works.work import Metric, Sample, Setting, Work

RATE = Metric("rate_per_s", "rate", "/s", is_higher_better=True)
CPU = Metric("cpu_us_per_connection", "CPU per connection", "µs", decimals=1)
CPU_USE = Metric("cpu_use", "CPU used", "%", scale=100, comparison="none")
P50 = Metric("p50_ms", "p50", "ms", decimals=3, comparison="ratio")
P99 = Metric("p99_ms", "p99", "ms", decimals=3, comparison="ratio")


def measure(setting: Setting) -> Sample:
    began, cpu_before_s = time.monotonic(), setting.proxy_cpu_s()
    answered = wrk.run(setting.target.port, setting.seconds, setting.where, setting.directory)
    cpu_s = setting.proxy_cpu_s() - cpu_before_s
    if answered.failed or not answered.requests:
        raise BenchError(f"wrk: {answered.failed} of {answered.requests} requests failed")
    sample = {
        RATE.name: answered.rate_per_s,
        P50.name: answered.p50_ms,
        P99.name: answered.p99_ms,
    }
    if setting.target.proxy_pid is not None:
        sample[CPU.name] = cpu_s / answered.requests * 1e6
        sample[CPU_USE.name] = cpu_s / (time.monotonic() - began)
    return sample


def work() -> Work:
    return Work(
        name="short",
        title=f"short connections, {wrk.CONNECTIONS} at a time (wrk, Connection: close)",
        metrics=(RATE, CPU, CPU_USE, P50, P99),
        programs=("wrk", "nginx"),
        start_origin=origins.http,
        measure=measure,
    )
