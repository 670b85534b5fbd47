"""Requests and answers in turn, and nothing at all, while many idle connections are open."""

import time

from tools.bench import origins
from tools.bench.loads import idle_connections
from tools.bench.works import request_response
from tools.bench.works.work import Metric, Sample, Setting, Work

REQUESTS = "rr50"
IDLE = "idle"
WORKER_CPU = Metric("worker_cpu", "CPU of the worker", "%", scale=100, decimals=2)


def catalogue(connections: int) -> dict[str, Work]:
    works = [_requests(connections), _idle(connections)]
    return {work.name: work for work in works}


def _requests(connections: int) -> Work:
    plain = request_response.work(50)

    def measure(setting: Setting) -> Sample:
        with idle_connections.holding(
            setting.target.port, setting.where, setting.directory
        ) as holder:
            holder.hold(connections)
            return plain.measure(setting)

    return Work(
        name=REQUESTS,
        title=f"request/response, 50 connections, beside {connections:,} idle ones",
        metrics=(
            request_response.RATE,
            request_response.CPU,
            request_response.P50,
            request_response.P99,
        ),
        programs=plain.programs,
        start_origin=plain.start_origin,
        measure=measure,
    )


def _idle(connections: int) -> Work:
    def measure(setting: Setting) -> Sample:
        with idle_connections.holding(
            setting.target.port, setting.where, setting.directory
        ) as holder:
            holder.hold(connections)
            began_s, cpu_before_s = time.monotonic(), setting.proxy_cpu_s()
            time.sleep(setting.seconds)
            took_s = time.monotonic() - began_s
            return {WORKER_CPU.name: (setting.proxy_cpu_s() - cpu_before_s) / took_s}

    return Work(
        name=IDLE,
        title=f"{connections:,} idle connections, and no traffic",
        metrics=(WORKER_CPU,),
        programs=(),
        start_origin=origins.pong,
        measure=measure,
    )
