"""What name servers say, and what of it is believed."""

import pytest

from spliceproxy.errors import StartProblem
from spliceproxy.settings.address import TcpAddress
from spliceproxy.settings.backend import BackendSettings
from spliceproxy.settings.dns import DnsSettings, SrvAddress
from spliceproxy.upstream import dns as module
from spliceproxy.upstream.group import Group, find_groups
from spliceproxy.upstream.resolver import Resolver
from tools.soak.dns_server import DnsServer, Zone, serving_dns

SERVICE = "_redis._tcp.example.test"
ZONE: Zone = {
    (SERVICE, "SRV"): (
        60,
        ["10 5 6379 a.example.test.", "10 0 6379 b.example.test.", "20 7 7000 A.example.test."],
    ),
    ("a.example.test", "A"): (120, ["127.0.0.1", "127.0.0.2"]),
    ("a.example.test", "AAAA"): (40, ["::1"]),
    ("b.example.test", "A"): (3600, ["127.0.0.3"]),
}


def find(server: DnsServer, *backends: BackendSettings) -> list[Group]:
    return find_groups(backends, Resolver(DnsSettings(servers=(server.address,))))


def test_a_service() -> None:
    with serving_dns(ZONE) as server:
        (group,) = find(server, BackendSettings(address=SrvAddress(SERVICE), backup=True))
    assert [(member.name, member.weight, member.tier % 65536) for member in group.members] == [
        ("a.example.test:6379", 5, 0),
        ("b.example.test:6379", 1, 0),
        ("a.example.test:7000", 7, 1),
    ]
    assert all(member.tier >= 65536 for member in group.members), "they are backups"
    first, *others = (target.name for target in group.members[2].resolved.targets())
    assert first == "[::1]:7000"
    assert sorted(others) == ["127.0.0.1:7000", "127.0.0.2:7000"]  # servers shuffle them
    assert group.valid_s is not None
    assert 30 < group.valid_s <= 40
    assert group.changes


def test_a_plain_name() -> None:
    with serving_dns(ZONE) as server:
        (group,) = find(server, BackendSettings(address=TcpAddress("b.example.test", 1)))
    (member,) = group.members
    assert [target.name for target in member.resolved.targets()] == ["127.0.0.3:1"]
    assert group.valid_s is not None
    assert 3500 < group.valid_s <= 3600


def test_an_address_asks_nobody() -> None:
    with serving_dns({}) as server:
        (group,) = find(server, BackendSettings(address=TcpAddress("127.0.0.1", 1)))
        assert server.asked == []
    assert (group.valid_s, group.changes) == (None, False)


def test_a_target_that_does_not_resolve_is_not_the_end_of_the_others() -> None:
    zone = {key: value for key, value in ZONE.items() if key[0] != "b.example.test"}
    with serving_dns(zone) as server:
        (group,) = find(server, BackendSettings(address=SrvAddress(SERVICE)))
    assert [len(member.resolved.sockets) for member in group.members] == [3, 0, 3]


@pytest.mark.parametrize(
    ("zone", "failing", "why"),
    [
        ({}, False, "does not exist"),
        (ZONE, True, "SERVFAIL"),
        ({(SERVICE, "SRV"): (1, [])}, False, "does not contain an answer"),
        ({(SERVICE, "SRV"): (1, ["0 0 0 ."])}, False, "no target is listed"),
        ({(SERVICE, "SRV"): (1, ["0 0 1 b.example.test."])}, False, "no target of srv:_redis"),
    ],
)
def test_no_service(zone: Zone, failing: bool, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_S", 0.5)
    with serving_dns(zone) as server:
        server.failing = failing
        with pytest.raises(StartProblem, match=why):
            find(server, BackendSettings(address=SrvAddress(SERVICE)))


def test_a_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_S", 0.3)
    names = Resolver(DnsSettings(servers=(TcpAddress("127.0.0.1", 1),)))
    for address in (SrvAddress(SERVICE), TcpAddress("b.example.test", 1)):
        with pytest.raises(StartProblem, match="does not resolve"):
            find_groups([BackendSettings(address=address)], names)
