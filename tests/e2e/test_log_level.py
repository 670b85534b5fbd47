"""`ctl log`: all processes log more, or less, at once and without a restart."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from spliceproxy.errors import AskingProblem

from .administered import Administered
from .conftest import StartProxy
from .load import echo_server, exchange
from .processes import wait_until
from .proxy_command import ProxyCommand
from .reloading import RoutesFile, route

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

FLUSH_S = 0.2  # lines gather for a twentieth of a second


@pytest.fixture
def echo() -> Iterator[str]:
    with echo_server() as address:
        yield address


CONNECTIONS = 20


def talk(proxy: ProxyCommand, admin: Administered) -> int:
    """Make connections that both workers serve; returns how many lines they have got by the end."""
    before = len(proxy.log.all("connection"))
    ended = admin.route()["ended"].get("closed", 0) + CONNECTIONS
    for _ in range(CONNECTIONS):
        with socket.create_connection(("127.0.0.1", listening_port(admin)), timeout=20) as client:
            exchange(client)
    wait_until(lambda: admin.route()["ended"].get("closed", 0) == ended, 20, "all have ended")
    time.sleep(FLUSH_S)
    return len(proxy.log.all("connection")) - before


def listening_port(admin: Administered) -> int:
    return int(admin.route()["listeners"][0].rpartition(":")[2])


def wait_for_lines(proxy: ProxyCommand, admin: Administered, *, told: bool) -> None:
    """Wait until all workers tell of connections, or none."""
    expected = CONNECTIONS if told else 0
    wait_until(lambda: talk(proxy, admin) == expected, 20, "the workers follow")


def test_all_processes_follow(start_proxy: StartProxy, echo: str, tmp_path: Path) -> None:
    admin = Administered(tmp_path / "admin")
    file = RoutesFile(tmp_path / "routes.yaml")
    file.write(route("127.0.0.1:0", echo), admin=f"unix:{admin.path}")
    proxy = file.start(start_proxy)
    admin.wait()
    proxy.expected_errors.add("worker_exited")
    assert talk(proxy, admin) == CONNECTIONS

    assert admin.ctl("log", "warning") == {"level": "warning"}
    assert admin.status()["log_level"] == "warning"
    wait_for_lines(proxy, admin, told=False)
    for number, worker in enumerate(proxy.workers(), 1):
        os.kill(worker, signal.SIGKILL)
        proxy.log.wait("worker_exited", number)
    wait_until(lambda: len(admin.status()["workers"]) == 2, 20, "other workers")
    assert talk(proxy, admin) == 0, "those that were started later follow, too"
    orders = len(proxy.log.all("admin_order"))
    admin.ctl("log", "warning")
    proxy.log.wait("admin_order", orders + 1)  # orders are told of at every level

    admin.ctl("log", "debug")
    wait_for_lines(proxy, admin, told=True)
    assert proxy.log.all("log_level_set")[-1]["log_level"] == "debug"


def test_a_reload_changes_the_level_only_if_the_file_has_another_one(
    start_proxy: StartProxy, echo: str, tmp_path: Path
) -> None:
    admin = Administered(tmp_path / "admin")
    file = RoutesFile(tmp_path / "routes.yaml", {"workers": 2, "admin": f"unix:{admin.path}"})
    file.write(route("127.0.0.1:0", echo))
    proxy = file.start(start_proxy)
    admin.wait()
    admin.ctl("log", "error")
    admin.ctl("reload")
    assert admin.status()["log_level"] == "error"
    wait_for_lines(proxy, admin, told=False)
    file.write(route("127.0.0.1:0", echo), log={"level": "debug"})
    admin.ctl("reload")
    assert admin.status()["log_level"] == "debug"
    wait_for_lines(proxy, admin, told=True)
    wait_until(lambda: len(proxy.workers()) == 2, 20, "older generations have ended")
    proxy.settle()


def test_a_level_that_is_none(start_proxy: StartProxy, echo: str, tmp_path: Path) -> None:
    admin = Administered(tmp_path / "admin")
    start_proxy("--backend", echo, "--admin", f"unix:{admin.path}")
    admin.wait()
    with pytest.raises(AskingProblem, match="'loud' is no level: debug, info, warning, error"):
        admin.client.post("/api/log", level="loud")
    with pytest.raises(AskingProblem, match="expected a level"):
        admin.client.post("/api/log")
