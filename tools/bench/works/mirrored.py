"""The works for mirrors: a fixed number of bytes in bulk, and requests and answers in turn."""

import time
from dataclasses import replace

from tools.bench import mirror_account, origins, process_tree
from tools.bench.loads import iperf3
from tools.bench.works import bulk, request_response
from tools.bench.works.work import Sample, Setting, Work

BULK = "bulk1"
PACED = "paced1"
PACE_BYTES_PER_S = 200_000_000  # slow enough for tcpdump to lose next to nothing
REQUESTS = "rr50"
SETTLE_S = 2.0
LOOK_S = 0.05
QUIET_SHARE = 0.02


def catalogue(bulk_bytes: int) -> dict[str, Work]:
    works = [
        _bulk(BULK, "as fast as it goes", bulk_bytes),
        _bulk(PACED, f"at {PACE_BYTES_PER_S / 1e6:g} MB/s", bulk_bytes, PACE_BYTES_PER_S),
        _request_response(),
    ]
    return {work.name: work for work in works}


def _bulk(name: str, pace: str, size_bytes: int, bytes_per_s: int = 0) -> Work:
    """A number of bytes, not of seconds: every peer carries the same, and files stay bounded."""

    def measure(setting: Setting) -> Sample:
        cpu_before_s = setting.proxy_cpu_s()
        transfer = iperf3.run_bytes(
            setting.target.port, size_bytes, setting.where, setting.directory, bytes_per_s
        )
        _settle(setting)
        cpu_s = setting.proxy_cpu_s() - cpu_before_s
        return {
            bulk.THROUGHPUT.name: transfer.bytes_per_s,
            bulk.CPU.name: cpu_s / (transfer.received_bytes / 1e9),
        }

    return Work(
        name=name,
        title=f"bulk transfer of {size_bytes / 1e9:g} GB {pace}, 1 stream (iperf3)",
        metrics=(bulk.THROUGHPUT, bulk.CPU, *mirror_account.METRICS),
        programs=("iperf3",),
        start_origin=origins.iperf3,
        measure=measure,
    )


def _settle(setting: Setting) -> None:
    """Wait until a mirror that lagged has caught up: that is part of the cost."""
    pids = (setting.target.proxy_pid or 0, *setting.target.helper_pids)
    deadline = time.monotonic() + SETTLE_S
    while time.monotonic() < deadline:
        before_s = sum(map(process_tree.cpu_s, pids))
        time.sleep(LOOK_S)
        if sum(map(process_tree.cpu_s, pids)) - before_s < QUIET_SHARE * LOOK_S:
            return


def _request_response() -> Work:
    work = request_response.work(50)
    return replace(work, metrics=(*work.metrics, *mirror_account.METRICS))
