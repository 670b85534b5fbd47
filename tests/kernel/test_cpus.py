"""How many CPUs a process may use, by what the kernel's files say."""

import os
from pathlib import Path

import pytest

from spliceproxy.kernel.cpus import usable_cpus
from tests.kernel.test_memory import write

V2 = {"proc/self/cgroup": "0::/a/b\n"}
V1 = {"proc/self/cgroup": "4:cpu,cpuacct:/x\n0::/\n"}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 8),
        (V2 | {"sys/fs/cgroup/a/b/cpu.max": "max 100000\n"}, 8),
        (V2 | {"sys/fs/cgroup/a/b/cpu.max": "200000 100000\n"}, 2),
        (V2 | {"sys/fs/cgroup/a/cpu.max": "150000 100000\n"}, 2),
        (V2 | {"sys/fs/cgroup/a/b/cpu.max": "5000 100000\n"}, 1),
        (V2 | {"sys/fs/cgroup/a/b/cpu.max": "900000 100000\n"}, 8),
        (V2 | {"sys/fs/cgroup/cpu.max": "garbage\n"}, 8),
        (V1 | {"sys/fs/cgroup/cpu/x/cpu.cfs_quota_us": "-1\n"}, 8),
        (
            V1
            | {
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "250000\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            3,
        ),
    ],
)
def test_the_least_that_affinity_and_control_groups_allow(
    files: dict[str, str], expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert usable_cpus(write(tmp_path, files)) == expected


def test_here() -> None:
    assert 0 < usable_cpus() <= len(os.sched_getaffinity(0))
