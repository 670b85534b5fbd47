"""Ports that take a right, and those that the kernel gives to outgoing connections."""

import errno
import socket

import pytest

from spliceproxy.doctor.finding import Finding, FindingStatus
from spliceproxy.doctor.machine import Machine
from spliceproxy.doctor.ports import check_ports, is_reserved
from spliceproxy.settings.proxy import Settings
from tests.doctor.conftest import MakeMachine
from tests.doctor.routes import routes
from tests.faults import FailAt
from tests.ports import free_port

FIRST = "net.ipv4.ip_unprivileged_port_start"
RANGE = "net.ipv4.ip_local_port_range"
RESERVED = "net.ipv4.ip_local_reserved_ports"


def examined(machine: Machine, settings: Settings | None = None) -> dict[str, Finding]:
    return {finding.check: finding for finding in check_ports(machine, settings)}


@pytest.mark.parametrize(
    ("bits", "fact"),
    [
        ("400", "this process may listen on every port"),
        ("0", f"this user may listen on ports from 1024 ({FIRST})"),
    ],
)
def test_who_may_listen_where(make_machine: MakeMachine, bits: str, fact: str) -> None:
    found = examined(make_machine({FIRST: "1024", "proc/self/status": f"CapEff:\t{bits}"}))
    assert found["ports.privileged"].fact == fact
    assert found.keys() == {"ports.privileged"}


def test_a_port_that_is_free(make_machine: MakeMachine) -> None:
    port = free_port()
    settings = routes(listen=[f"127.0.0.1:{port}", "127.0.0.1:0", "unix:/run/a.sock"])
    found = examined(make_machine({FIRST: "65535"}), settings)
    assert found[f"ports.bind:{port}"].status is FindingStatus.OK
    assert found.keys() == {"ports.privileged", f"ports.bind:{port}"}
    assert f"ports.bind:{port}" not in examined(make_machine({FIRST: str(port)}), settings)


def test_a_port_that_is_in_use(make_machine: MakeMachine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        found = examined(make_machine({FIRST: "65535"}), routes(listen=[f"127.0.0.1:{port}"]))
    finding = found[f"ports.bind:{port}"]
    assert finding.status is FindingStatus.OK
    assert finding.fact.endswith("where somebody listens now")


def test_a_port_that_is_refused(make_machine: MakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(socket.socket):
        bind = FailAt(None, 1, errno.EACCES)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "socket", Refusing)
    finding = examined(make_machine({}), routes(listen=["80"]))["ports.bind:80"]
    assert finding.status is FindingStatus.FAIL
    assert finding.fact == "this user may not listen on 80"
    assert finding.remedy == f"give CAP_NET_BIND_SERVICE, or sysctl -w {FIRST}=80"


@pytest.mark.parametrize(
    ("pair", "status"), [("32768\t60999", FindingStatus.OK), ("32768\t33000", FindingStatus.WARN)]
)
def test_the_range(make_machine: MakeMachine, pair: str, status: FindingStatus) -> None:
    finding = examined(make_machine({RANGE: pair}))["ports.local_range"]
    assert finding.status is status
    assert list(finding.values.values()) == [int(word) for word in pair.split()]
    assert (f"sysctl -w {RANGE}=" in finding.remedy) == (status is FindingStatus.WARN)


@pytest.mark.parametrize(("reserved", "clashes"), [("", True), ("39999,40000-40010", False)])
def test_a_listener_within_the_range(
    make_machine: MakeMachine, reserved: str, *, clashes: bool
) -> None:
    machine = make_machine({RANGE: "32768\t60999", RESERVED: reserved})
    found = examined(machine, routes(listen=["127.0.0.1:40005", "127.0.0.1:8080"]))
    assert ("ports.clash:40005" in found) == clashes
    assert "ports.clash:8080" not in found
    if clashes:
        assert found["ports.clash:40005"].status is FindingStatus.WARN
        assert f"{RESERVED}=40005" in found["ports.clash:40005"].remedy


@pytest.mark.parametrize(
    ("asked", "backends", "warns"),
    [
        (14_117, ["a:80"], True),
        (14_116, ["a:80"], False),
        (14_117, ["a:80", "b:80"], False),
        (14_117, ["a:80", "unix:/run/b.sock"], False),
        (None, ["a:80"], False),
    ],
)
def test_more_connections_than_ports(
    make_machine: MakeMachine, asked: int | None, backends: list[str], *, warns: bool
) -> None:
    settings = routes(workers=2, max_connections=asked, backends=backends)
    found = examined(make_machine({RANGE: "32768\t60999"}), settings)
    assert ("ports.route:web" in found) == warns
    if warns:
        assert found["ports.route:web"].status is FindingStatus.WARN
        assert found["ports.route:web"].values == {"asked": 28_234, "ports": 28_232}


@pytest.mark.parametrize(
    ("port", "listed"), [(1, False), (8080, True), (9000, True), (9010, True), (9011, False)]
)
def test_lists_of_reserved_ports(port: int, *, listed: bool) -> None:
    assert is_reserved(port, "8080,9000-9010") == listed
    assert not is_reserved(port, "")
