"""`localhost` where /etc/hosts has ::1 for it, and IPv6 is off."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from .namespaces import launcher_without_ipv6
from .proxy_command import Launcher, ProxyCommand
from .test_start_errors import BACKEND, refusal

pytestmark = pytest.mark.e2e


@pytest.fixture
def launcher(tmp_path: Path) -> Launcher:
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n::1 localhost ip6-only\n")
    return launcher_without_ipv6(hosts)


def test_what_there_is_of_a_name_is_listened_on(launcher: Launcher) -> None:
    admin = ("--admin", "localhost:0", "--admin-insecure")
    with ExitStack() as stack:
        proxy = ProxyCommand("--listen", "localhost:0", *admin, *BACKEND, launcher=launcher)
        stack.callback(proxy.finish)
        assert [name.rpartition(":")[0] for name in proxy.started["listeners"]] == ["127.0.0.1"]
        missing = proxy.log.all("address_not_listened_on")
        assert [event["address"] for event in missing] == ["[::1]:0", "[::1]:0"]
        proxy.log.wait("admin_started")


@pytest.mark.parametrize("host", ["[::1]", "ip6-only"])
@pytest.mark.parametrize("option", ["--listen", "--admin"])
def test_what_has_nothing_else_is_refused(launcher: Launcher, host: str, option: str) -> None:
    others = ("--listen", "127.0.0.1:0", "--admin-insecure", *BACKEND)
    status, line = refusal((option, f"{host}:0", *others), launcher)
    assert status == 3
    assert f"cannot listen on {host}:0 (" in line
