"""Downloads over connections that stay open: a file of one size, again and again."""

from __future__ import annotations

import time

from tools.bench import file_servers
from tools.bench.errors import BenchError
from tools.bench.loads import wrk
from tools.bench.works.work import Metric, Sample, Setting, Work

CONNECTIONS = 16
SMALLEST, LARGEST = "1k", "10m"
THROUGHPUT = Metric(
    "throughput_bytes_per_s", "throughput", "MB/s", is_higher_better=True, scale=1e-6
)
CPU = Metric("cpu_us_per_request", "CPU per request", "µs")
CPU_USE = Metric("cpu_use", "CPU used", "%", scale=100, comparison="none")
P50 = Metric("p50_ms", "p50", "ms", decimals=3, comparison="ratio")
P99 = Metric("p99_ms", "p99", "ms", decimals=3, comparison="ratio")


def catalogue() -> dict[str, Work]:
    return {name: _work(name, size_bytes) for name, size_bytes in file_servers.SIZES.items()}


def _work(name: str, size_bytes: int) -> Work:
    def measure(setting: Setting) -> Sample:
        began, cpu_before_s = time.monotonic(), setting.proxy_cpu_s()
        answers = wrk.run(
            setting.target.port,
            setting.seconds,
            setting.where,
            setting.directory,
            path=f"/{name}",
            connections=CONNECTIONS,
            stays_open=True,
        )
        cpu_s = setting.proxy_cpu_s() - cpu_before_s
        if answers.failed or not answers.requests:
            raise BenchError(f"wrk: {answers.failed} of {answers.requests} requests failed")
        return {
            THROUGHPUT.name: answers.rate_per_s * size_bytes,
            CPU.name: cpu_s / answers.requests * 1e6,
            CPU_USE.name: cpu_s / (time.monotonic() - began),
            P50.name: answers.p50_ms,
            P99.name: answers.p99_ms,
        }

    return Work(
        name=name,
        title=f"a file of {size_bytes >> 10:,} KiB, {CONNECTIONS} connections (wrk)",
        metrics=(THROUGHPUT, CPU, CPU_USE, P50, P99),
        programs=("wrk",),
        start_origin=file_servers.files,
        measure=measure,
    )
