"""Versions, rights and restrictions."""

import mmap
import sys
import sysconfig

import pytest

from spliceproxy.doctor.finding import FindingStatus
from spliceproxy.doctor.machine import Machine
from spliceproxy.doctor.system import check_system, describe_memory, describe_python, judge_kernel
from tests.doctor.conftest import MakeMachine


@pytest.mark.parametrize(
    ("release", "status"),
    [
        ("6.18.44-fc", FindingStatus.OK),
        ("5.10.0-30-amd64", FindingStatus.OK),
        ("5.9.16", FindingStatus.WARN),
        ("4.19.0", FindingStatus.WARN),
        ("unknown", FindingStatus.OK),
    ],
)
def test_kernels(release: str, status: FindingStatus) -> None:
    finding = judge_kernel(release, "x86_64")
    assert finding.status is status
    assert release in finding.fact
    assert ("Linux 5.10 or newer" in finding.remedy) == (status is FindingStatus.WARN)


@pytest.mark.parametrize(("setting", "free"), [(1, True), (0, False), (None, False)])
def test_python(setting: int | None, monkeypatch: pytest.MonkeyPatch, *, free: bool) -> None:
    monkeypatch.setattr(sysconfig, "get_config_var", {"Py_GIL_DISABLED": setting}.get)
    finding = describe_python()
    assert finding.values["free_threaded"] == free
    assert ("free-threaded" in finding.fact) == free
    assert finding.values["version"] == "{}.{}.{}".format(*sys.version_info[:3])


def test_a_container_with_a_filter(make_machine: MakeMachine) -> None:
    status = "NoNewPrivs:\t1\nSeccomp:\t2\nCapEff:\t0000000000000400"
    machine = make_machine({"proc/self/status": status, "run/.containerenv": ""})
    found = {finding.check: finding for finding in check_system(machine)}
    assert {finding.status for finding in found.values()} == {FindingStatus.OK}
    assert found["system.container"].values == {"container": "podman"}
    assert "fs.* are the host's" in found["system.container"].fact
    assert found["system.seccomp"].values == {"mode": 2}
    assert "the trials of calls tell" in found["system.seccomp"].fact
    assert found["system.privileges"].values == {
        "capabilities": ["CAP_NET_BIND_SERVICE"],
        "no_new_privileges": True,
    }
    assert "no_new_privs is on" in found["system.privileges"].fact


def test_a_machine_without_restrictions(make_machine: MakeMachine) -> None:
    machine = make_machine({"proc/self/status": "NoNewPrivs:\t0\nSeccomp:\t0\nCapEff:\t0"})
    facts = {finding.check: finding.fact for finding in check_system(machine)}
    assert facts["system.container"] == "no sign of a container"
    assert facts["system.seccomp"] == "no seccomp filter"
    assert facts["system.privileges"] == "none of the capabilities that lift limits"


def test_memory_and_its_pages(make_machine: MakeMachine) -> None:
    meminfo = "MemTotal: 2048 kB\nMemAvailable:\t1024 kB\nBuffers: 0 kB\nHugePages_Total: 3"
    finding = describe_memory(make_machine({"proc/meminfo": meminfo}).memory())
    assert finding.values == {
        "page_bytes": mmap.PAGESIZE,
        "total_bytes": 2 << 20,
        "available_bytes": 1 << 20,
        "cached_bytes": None,
        "buffers_bytes": 0,
    }
    assert finding.fact == (
        f"pages of {mmap.PAGESIZE // 1024} KiB; of 2 MiB memory, 1 MiB can be had, "
        "0 MiB hold blocks of disks (Buffers)"
    )


def test_memory_that_is_not_told(make_machine: MakeMachine) -> None:
    finding = describe_memory(make_machine({}).memory())
    assert finding.fact.endswith("; /proc/meminfo cannot be read here")


def test_this_machine() -> None:
    checks = [finding.check for finding in check_system(Machine())]
    assert checks == [
        "system.kernel",
        "system.python",
        "system.memory",
        "system.container",
        "system.seccomp",
        "system.privileges",
    ]
