"""What the backends of a route stand for at the start."""

import pytest

from spliceproxy.errors import StartProblem
from spliceproxy.settings.address import TcpAddress
from spliceproxy.settings.backend import BackendSettings
from spliceproxy.settings.dns import DnsSettings
from spliceproxy.upstream.group import find_groups
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
