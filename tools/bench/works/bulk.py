"""Bulk transfer: as many bytes as possible from client to server."""

import time

from tools.bench import origins
from tools.bench.loads import iperf3
from tools.bench.works.work import Metric, Sample, Setting, Work

THROUGHPUT = Metric(
    "throughput_bytes_per_s", "throughput", "GB/s", is_higher_better=True, scale=1e-9, decimals=2
)
CPU = Metric("cpu_s_per_gb", "CPU per GB", "s", decimals=3)

CPU_USE = Metric("cpu_use", "CPU used", "%", scale=100, comparison="none")


def work(streams: int) -> Work:
    def measure(setting: Setting) -> Sample:
        began, cpu_before_s = time.monotonic(), setting.proxy_cpu_s()
        transfer = iperf3.run(
            setting.target.port, streams, setting.seconds, setting.where, setting.directory
        )
        cpu_s = setting.proxy_cpu_s() - cpu_before_s
        sample = {THROUGHPUT.name: transfer.bytes_per_s}
        if setting.target.proxy_pid is not None:
            sample[CPU.name] = cpu_s / (transfer.received_bytes / 1e9)
            sample[CPU_USE.name] = cpu_s / (time.monotonic() - began)
        return sample

    plural = "s" if streams > 1 else ""
    return Work(
        name=f"bulk{streams}",
        title=f"bulk transfer, {streams} stream{plural} (iperf3)",
        metrics=(THROUGHPUT, CPU, CPU_USE),
        programs=("iperf3",),
        start_origin=origins.iperf3,
        measure=measure,
    )
