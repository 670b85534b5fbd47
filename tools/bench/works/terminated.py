"""The works for proxies that terminate TLS: bulk, handshakes, requests, idle connections."""

import time
from dataclasses import replace
from typing import get_args

from tools.bench import memory, mirror_account, origins, page_cache
from tools.bench.loads import idle_connections, s_time, tls_stream
from tools.bench.works import bulk, mirrored, request_response, short
from tools.bench.works.work import Metric, Sample, Setting, Work

DIRECTIONS: tuple[tls_stream.Direction, ...] = get_args(tls_stream.Direction)
HANDSHAKES, RESUMED, REQUESTS, IDLE = "handshakes", "resumed", "rr50", "idle"
MEMORY = Metric("private_bytes", "memory of the proxy", "MB", scale=1e-6, decimals=1)
MEMORY_EACH = Metric("private_bytes_per_connection", "of it for each", "kB", scale=1e-3, decimals=1)


def catalogue(bulk_bytes: int, idle_count: int) -> dict[str, Work]:
    requests = request_response.work(50, ("--tls", "--insecure"))
    works = [
        _idle(idle_count),
        *(_bulk(direction, bulk_bytes) for direction in DIRECTIONS),
        replace(requests, metrics=(*requests.metrics, mirror_account.LOST)),
        _handshakes(HANDSHAKES, "full handshakes", resumes=False),
        _handshakes(RESUMED, "resumed sessions", resumes=True),
    ]
    return {work.name: work for work in works}


def _bulk(direction: tls_stream.Direction, size_bytes: int) -> Work:
    def measure(setting: Setting) -> Sample:
        page_cache.warm(setting.directory, size_bytes)
        cpu_before_s = setting.proxy_cpu_s()
        transfer = tls_stream.run(
            setting.target.port, direction, size_bytes, setting.where, setting.directory
        )
        mirrored.settle(setting)
        cpu_s = setting.proxy_cpu_s() - cpu_before_s
        return {
            bulk.THROUGHPUT.name: transfer.size_bytes / transfer.seconds,
            bulk.CPU.name: cpu_s / (transfer.size_bytes / 1e9),
        }

    return Work(
        name=direction,
        title=f"{direction} of {size_bytes / 1e9:g} GB, 1 stream",
        metrics=(bulk.THROUGHPUT, bulk.CPU, mirror_account.LOST),
        programs=("openssl",),
        start_origin=origins.flood if direction == "download" else origins.drain,
        measure=measure,
    )


def _handshakes(name: str, what: str, *, resumes: bool) -> Work:
    def measure(setting: Setting) -> Sample:
        cpu_before_s = setting.proxy_cpu_s()
        made = s_time.run(
            setting.target.port, setting.seconds, setting.where, setting.directory, resumes=resumes
        )
        cpu_s = setting.proxy_cpu_s() - cpu_before_s
        return {
            short.RATE.name: made.count / made.seconds,
            short.CPU.name: cpu_s / made.count * 1e6,
            short.CPU_USE.name: cpu_s / made.seconds,
        }

    return Work(
        name=name,
        title=f"{what}, one request each, {s_time.PROCESSES} at a time (openssl s_time)",
        metrics=(short.RATE, short.CPU, short.CPU_USE),
        programs=("openssl", "nginx"),
        start_origin=origins.http,
        measure=measure,
    )


def _idle(connections: int) -> Work:
    def measure(setting: Setting) -> Sample:
        pid = setting.target.proxy_pid
        assert pid is not None  # noqa: S101 - there is a proxy to each peer
        before = memory.private_bytes(pid)
        with idle_connections.holding(
            setting.target.port, setting.where, setting.directory, tls=True
        ) as holder:
            holder.hold(connections)
            time.sleep(setting.seconds)
            during = memory.private_bytes(pid)
        return {MEMORY.name: during, MEMORY_EACH.name: (during - before) / connections}

    return Work(
        name=IDLE,
        title=f"{connections:,} idle connections",
        metrics=(MEMORY, MEMORY_EACH),
        programs=("openssl",),
        start_origin=origins.pong,
        measure=measure,
    )
