"""The works for mirrors: a fixed number of bytes in bulk, requests in turn, short connections."""

import time
from dataclasses import replace

from tools.bench import mirror_account, origins, page_cache, process_tree
from tools.bench.loads import iperf3
from tools.bench.works import bulk, request_response, short
from tools.bench.works.work import Metric, Sample, Setting, Work

CPU_PER_COPIED = Metric(
    "cpu_s_per_mirrored_gb", "CPU per GB mirrored", "s", decimals=3, comparison="none"
)
CPU_S = "cpu_s"
BULK = "bulk1"
PACED = "paced1"
PACE_BYTES_PER_S = 200_000_000  # slow enough for tcpdump to lose a few per cent at most
PACED_BYTES = 300_000_000  # written before the kernel gives up the memory that was warmed for it
REQUESTS = "rr50"
SHORT = "short"
SETTLE_S = 2.0
LOOK_S = 0.05
QUIET_SHARE = 0.02


def catalogue(bulk_bytes: int) -> dict[str, Work]:
    works = [
        _bulk(BULK, "as fast as it goes", bulk_bytes),
        _bulk(
            PACED,
            f"at {PACE_BYTES_PER_S / 1e6:g} MB/s",
            min(bulk_bytes, PACED_BYTES),
            PACE_BYTES_PER_S,
        ),
        _with_account(request_response.work(50)),
        _with_account(short.work()),
    ]
    return {work.name: work for work in works}


def _bulk(name: str, pace: str, size_bytes: int, bytes_per_s: int = 0) -> Work:
    """A number of bytes, not of seconds: every peer carries the same, and files stay bounded."""

    def measure(setting: Setting) -> Sample:
        page_cache.warm(setting.directory, size_bytes)
        cpu_before_s = setting.proxy_cpu_s()
        transfer = iperf3.run_bytes(
            setting.target.port, size_bytes, setting.where, setting.directory, bytes_per_s
        )
        settle(setting)
        cpu_s = setting.proxy_cpu_s() - cpu_before_s
        return {
            bulk.THROUGHPUT.name: transfer.bytes_per_s,
            bulk.CPU.name: cpu_s / (transfer.received_bytes / 1e9),
            CPU_S: cpu_s,
        }

    return Work(
        name=name,
        title=f"bulk transfer of {size_bytes / 1e9:g} GB {pace}, 1 stream (iperf3)",
        metrics=(bulk.THROUGHPUT, bulk.CPU, CPU_PER_COPIED, *mirror_account.METRICS),
        programs=("iperf3",),
        start_origin=origins.iperf3,
        measure=measure,
        conclude=relate_to_copy,
    )


def relate_to_copy(sample: Sample) -> Sample:
    """Add the cost of a byte that has been copied: who loses most of them has it easy."""
    copied_bytes = sample.get(mirror_account.MIRRORED.name, 0)
    if not copied_bytes or CPU_S not in sample:
        return sample
    return {**sample, CPU_PER_COPIED.name: sample[CPU_S] / (copied_bytes / 1e9)}


def settle(setting: Setting) -> None:
    """Wait until a mirror that lagged has caught up: that is part of the cost."""
    pids = (setting.target.proxy_pid or 0, *setting.target.helper_pids)
    deadline = time.monotonic() + SETTLE_S
    while time.monotonic() < deadline:
        before_s = sum(map(process_tree.cpu_s, pids))
        time.sleep(LOOK_S)
        if sum(map(process_tree.cpu_s, pids)) - before_s < QUIET_SHARE * LOOK_S:
            return


def _with_account(work: Work) -> Work:
    return replace(work, metrics=(*work.metrics, *mirror_account.METRICS))
