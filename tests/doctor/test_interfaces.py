"""What is said about network interfaces, and which of them are asked."""

import errno

import pytest

from spliceproxy.doctor.finding import Finding, FindingStatus
from spliceproxy.doctor.interfaces import check_interfaces, judge_offloads
from spliceproxy.doctor.machine import Machine
from spliceproxy.kernel import ethtool
from tests.doctor.conftest import MakeMachine
from tests.faults import FailAt

ALL_ON = {
    "scatter_gather": True,
    "transmit_checksums": True,
    "tcp_segmentation": True,
    "generic_segmentation": True,
    "generic_receive": True,
}
INTERFACES = {
    "sys/class/net/eth0/flags": "0x1003",
    "sys/class/net/eth1/flags": "0x1002",
    "sys/class/net/lo/flags": "0x9",
    "sys/class/net/bonding_masters": "bond0",  # a file among the directories
}
HARDWARE = {"sys/class/net/eth0/device/vendor": "0x1af4"}


def examined(machine: Machine) -> dict[str, Finding]:
    return {finding.check: finding for finding in check_interfaces(machine)}


def test_interfaces_that_are_up_are_asked(
    make_machine: MakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ethtool, "offloads", lambda _: ALL_ON)
    found = examined(make_machine(INTERFACES))
    assert found.keys() == {"interfaces.eth0"}
    finding = found["interfaces.eth0"]
    assert (finding.status, finding.values) == (FindingStatus.OK, ALL_ON)
    assert finding.fact == "eth0: scatter-gather, checksums, TSO, GSO, GRO on"


@pytest.mark.parametrize(
    ("off", "switches", "word"),
    [
        (["scatter_gather"], "sg on", "copied together"),
        (["tcp_segmentation", "generic_segmentation"], "gso on", "single packets"),
        (["generic_receive"], "gro on", "slot of a pipe"),
        (["scatter_gather", "generic_receive"], "sg on gro on", "GRO is off"),
        (["tcp_segmentation"], "", "TSO off"),
        (["transmit_checksums"], "", "checksums off"),
    ],
)
def test_what_is_off(off: list[str], switches: str, word: str) -> None:
    finding = judge_offloads("eth0", ALL_ON | dict.fromkeys(off, False), is_virtual=False)
    assert finding.status is (FindingStatus.WARN if switches else FindingStatus.OK)
    assert word in finding.fact
    assert finding.remedy == (f"ethtool -K eth0 {switches}" if switches else "")


@pytest.mark.parametrize(("files", "warns"), [({}, False), (HARDWARE, True)])
def test_only_hardware_has_packets_to_merge(
    make_machine: MakeMachine,
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str],
    *,
    warns: bool,
) -> None:
    monkeypatch.setattr(ethtool, "offloads", lambda _: ALL_ON | {"generic_receive": False})
    finding = examined(make_machine(INTERFACES | files))["interfaces.eth0"]
    assert (finding.status is FindingStatus.WARN) == warns
    assert "GRO" in finding.fact


def test_an_interface_that_does_not_answer(
    make_machine: MakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ethtool, "offloads", FailAt(ethtool.offloads, 1, errno.EOPNOTSUPP))
    finding = examined(make_machine(INTERFACES))["interfaces.eth0"]
    assert finding.status is FindingStatus.OK
    assert finding.fact == "eth0: does not tell its offloads (Operation not supported)"


@pytest.mark.parametrize("files", [{}, {"sys/class/net/lo/flags": "0x9"}])
def test_nothing_but_loopback(make_machine: MakeMachine, files: dict[str, str]) -> None:
    assert examined(make_machine(files)).keys() == {"interfaces.none"}
