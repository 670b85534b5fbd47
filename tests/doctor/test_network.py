"""The backlog, the memory of TCP and its congestion control."""

import os
from pathlib import Path

import pytest

from spliceproxy.doctor.finding import Finding, FindingStatus
from spliceproxy.doctor.machine import Machine
from spliceproxy.doctor.network import check_network, tcp_pages
from spliceproxy.settings.proxy import Settings
from tests.doctor.conftest import MakeMachine
from tests.doctor.routes import routes

SOCKSTAT = "sockets: used 17\nTCP: inuse 1 orphan 0 tw 0 alloc 1 mem {}\nUDP: inuse 0 mem 9"


def examined(machine: Machine, settings: Settings | None = None) -> dict[str, Finding]:
    return {finding.check: finding for finding in check_network(machine, settings)}


@pytest.mark.parametrize(
    ("ceiling", "settings", "backlog", "status"),
    [
        (4096, None, 4096, FindingStatus.OK),
        (128, None, 4096, FindingStatus.WARN),
        (4096, routes(backlog=9000), 9000, FindingStatus.WARN),
        (128, routes(backlog=100), 100, FindingStatus.OK),
    ],
)
def test_the_backlog(
    make_machine: MakeMachine,
    ceiling: int,
    settings: Settings | None,
    backlog: int,
    status: FindingStatus,
) -> None:
    machine = make_machine({"net.core.somaxconn": str(ceiling)})
    finding = examined(machine, settings)["network.backlog"]
    assert finding.status is status
    assert finding.values == {"somaxconn": ceiling, "backlog": backlog}
    assert finding.fact.startswith(f"{min(ceiling, backlog)} connections may wait")
    expected = "" if status is FindingStatus.OK else f"sysctl -w net.core.somaxconn={backlog}"
    assert finding.remedy == expected


@pytest.mark.parametrize(
    ("used", "status"),
    [(19, FindingStatus.OK), (20, FindingStatus.WARN), (300, FindingStatus.FAIL)],
)
def test_the_memory_of_tcp(make_machine: MakeMachine, used: int, status: FindingStatus) -> None:
    files = {"net.ipv4.tcp_mem": "10\t20\t300", "proc/net/sockstat": SOCKSTAT.format(used)}
    finding = examined(make_machine(files))["network.tcp_memory"]
    assert finding.status is status
    assert finding.values == {"used_pages": used, "pressure_pages": 20, "max_pages": 300}
    most_mib = 300 * os.sysconf("SC_PAGE_SIZE") >> 20
    assert f"of {most_mib} MiB" in finding.fact
    assert ('net.ipv4.tcp_mem="300 450 600"' in finding.remedy) == (status is not FindingStatus.OK)


@pytest.mark.parametrize("text", ["", "TCP:", "TCP: inuse 1 mem", "UDP: inuse 0 mem 9"])
def test_a_list_of_sockets_without_memory(text: str) -> None:
    assert tcp_pages(text) is None


def test_the_real_list_of_sockets() -> None:
    assert tcp_pages(Path("/proc/net/sockstat").read_text()) is not None


@pytest.mark.parametrize(("control", "paces"), [("cubic", False), ("bbr", True)])
def test_congestion_control(make_machine: MakeMachine, control: str, *, paces: bool) -> None:
    found = examined(make_machine({"net.ipv4.tcp_congestion_control": control}))
    finding = found["network.congestion_control"]
    assert finding.status is FindingStatus.OK
    assert finding.fact.startswith(control)
    assert ("paces" in finding.fact) == paces


def test_a_sandbox_without_any_file(make_machine: MakeMachine) -> None:
    assert examined(make_machine({})) == {}
