"""What is read about a machine, also where much of it is missing."""

import os

import pytest

from spliceproxy.doctor.machine import Machine
from tests.doctor.conftest import MakeMachine


def test_settings_of_the_kernel(make_machine: MakeMachine) -> None:
    machine = make_machine({"net.ipv4.tcp_mem": "1\t20\t300", "net.core.default_qdisc": "fq"})
    assert machine.sysctl_numbers("net.ipv4.tcp_mem") == (1, 20, 300)
    assert machine.sysctl_number("net.ipv4.tcp_mem") == 1
    assert machine.sysctl("net.core.default_qdisc") == "fq"
    assert machine.sysctl_numbers("net.core.default_qdisc") == ()
    assert machine.sysctl("net.core.absent") is None
    assert machine.sysctl_number("net.core.absent") is None


def test_a_sandbox_without_any_file(make_machine: MakeMachine) -> None:
    machine = make_machine({})
    assert machine.process_status("Seccomp") is None
    assert machine.capabilities() == []
    assert not machine.filters_calls()
    assert machine.container() is None


@pytest.mark.parametrize(
    ("bits", "names"),
    [
        ("0000000000000400", ["CAP_NET_BIND_SERVICE"]),
        ("0000000001200000", ["CAP_SYS_ADMIN", "CAP_SYS_RESOURCE"]),
        ("0000000000000000", []),
    ],
)
def test_capabilities(make_machine: MakeMachine, bits: str, names: list[str]) -> None:
    status = f"Name:\tpython\nCapPrm:\tffffffffffffffff\nCapEff:\t{bits}"
    assert make_machine({"proc/self/status": status}).capabilities() == names


@pytest.mark.parametrize("mode", ["0", "1", "2"])
def test_filters(make_machine: MakeMachine, mode: str) -> None:
    machine = make_machine({"proc/self/status": f"Seccomp:\t{mode}\nSeccomp_filters:\t1"})
    assert machine.process_status("Seccomp") == mode
    assert machine.filters_calls() == (mode == "2")


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({"run/.containerenv": ""}, "podman"),
        ({"./.dockerenv": ""}, "docker"),
        ({"run/systemd/container": "systemd-nspawn"}, "systemd-nspawn"),
        ({"proc/self/cgroup": "0::/kubepods.slice/pod1"}, "kubepods"),
        ({"proc/self/cgroup": "0::/user.slice"}, None),
    ],
)
def test_signs_of_a_container(
    make_machine: MakeMachine, files: dict[str, str], kind: str | None
) -> None:
    assert make_machine(files).container() == kind


def test_the_real_machine() -> None:
    machine = Machine()
    assert (machine.sysctl_number("fs.pipe-max-size") or 0) > 0
    assert machine.process_status("Pid") == str(os.getpid())
