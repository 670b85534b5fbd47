"""What the backends of a route stand for at the start."""

import pytest
from structlog.testing import capture_logs

from spliceproxy.errors import StartProblem
from spliceproxy.settings.address import TcpAddress, parse_backend
from spliceproxy.settings.backend import BackendSettings
from spliceproxy.settings.dns import DnsSettings
from spliceproxy.settings.mirror import parse_mirror
from spliceproxy.upstream.group import find_groups
from spliceproxy.upstream.resolved import resolve_mirrors
from spliceproxy.upstream.resolver import Resolver

SYSTEM = Resolver(DnsSettings())


def test_each_has_a_name_of_its_own() -> None:
    groups = find_groups(
        [BackendSettings(address=TcpAddress(f"127.0.0.{number}", 80)) for number in (1, 2, 1, 1)],
        SYSTEM,
    )
    assert [member.name for group in groups for member in group.members] == [
        "127.0.0.1:80",
        "127.0.0.2:80",
        "127.0.0.1:80#2",
        "127.0.0.1:80#3",
    ]
    assert [target.name for target in groups[2].members[0].resolved.targets()] == ["127.0.0.1:80"]
    assert not any(group.changes for group in groups)


@pytest.mark.parametrize("source", ["192.0.2.1", "2001:db8::1"])
def test_a_source_that_no_interface_has(source: str) -> None:
    backend = BackendSettings(address=TcpAddress("127.0.0.1", 80), source=source)
    with pytest.raises(StartProblem, match="cannot connect from the source"):
        find_groups([backend], SYSTEM)


def backends(*addresses: str) -> list[BackendSettings]:
    return [BackendSettings(address=parse_backend(address)) for address in addresses]


NOWHERE = "nowhere.invalid:80"


def test_one_name_that_resolves_is_enough() -> None:
    with capture_logs() as logs:
        first, second = find_groups(backends(NOWHERE, "127.0.0.1:80"), SYSTEM, strict=False)
    assert [member.resolved.sockets for member in first.members] == [()]
    assert first.changes  # it is looked up again
    assert second.members[0].resolved.sockets
    (warning,) = logs
    assert (warning["event"], warning["log_level"]) == ("name_unresolved", "warning")
    assert NOWHERE in warning["problem"]


@pytest.mark.parametrize(
    ("addresses", "strict"), [((NOWHERE,), False), ((NOWHERE, "127.0.0.1:80"), True)]
)
def test_names_that_are_needed(addresses: tuple[str, ...], strict: bool) -> None:
    with pytest.raises(StartProblem, match=r"nowhere\.invalid:80 does not resolve"):
        find_groups(backends(*addresses), SYSTEM, strict=strict)


def test_a_mirror_may_be_found_later_unless_traffic_needs_it() -> None:
    with capture_logs() as logs:
        (found,) = resolve_mirrors((parse_mirror(f"tcp://{NOWHERE}"),), strict=False)
    assert found is not None
    assert found.sockets == ()
    assert [event["event"] for event in logs] == ["name_unresolved"]
    with pytest.raises(StartProblem):
        resolve_mirrors((parse_mirror(f"tcp://{NOWHERE}?overflow=block"),), strict=False)
