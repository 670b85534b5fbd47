"""Growth: what a request costs while more and more other connections are open and silent.

The same 10 connections carry the requests at every step, so that the number of open connections
is the only thing that changes; more active ones would make each wake-up handle more of them, and
so make a request cheaper by itself.
"""

from contextlib import closing

from tools.bench import origins
from tools.bench.loads import idle_connections, redis_benchmark
from tools.bench.works.work import Metric, Sample, Setting, Work

ACTIVE_CONNECTIONS = 10
FACTOR = Metric("growth_factor", "growth", "", decimals=2)


def cost_at(open_connections: int) -> Metric:
    return Metric(
        f"cpu_us_per_request_at_{open_connections}",
        f"CPU per request, {open_connections:,} open",
        "µs",
        decimals=1,
    )


def work(steps: tuple[int, ...]) -> Work:
    def measure(setting: Setting) -> Sample:
        sample: Sample = {}
        with (
            closing(redis_benchmark.ServerCounters(setting.origin.port)) as counters,
            idle_connections.holding(
                setting.target.port, setting.where, setting.directory
            ) as holder,
        ):
            load = redis_benchmark.Load(
                setting.target.port,
                ACTIVE_CONNECTIONS,
                setting.where,
                setting.directory,
                counters,
                setting.proxy_cpu_s,
            )
            for step in steps:
                holder.hold(step - ACTIVE_CONNECTIONS)
                window = load.run("get", setting.seconds)
                sample[cost_at(step).name] = window.cpu_s / window.requests * 1e6
        if setting.target.proxy_pid is None:
            return {}
        sample[FACTOR.name] = sample[cost_at(steps[-1]).name] / sample[cost_at(steps[0]).name]
        return sample

    return Work(
        name="growth",
        title=f"cost of a request with {steps[0]:,} to {steps[-1]:,} connections open",
        metrics=(*(cost_at(step) for step in steps), FACTOR),
        programs=("redis-server", "redis-benchmark"),
        start_origin=origins.redis,
        measure=measure,
    )
