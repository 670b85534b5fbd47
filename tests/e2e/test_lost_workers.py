"""Workers that are killed under load: what they leave unfinished is counted, to the last byte."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .administered import Administered
from .conftest import StartProxy
from .load import EchoLoad, echo_server
from .processes import wait_until
from .proxy_command import ProxyCommand
from .reloading import RoutesFile, route

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

KILLS = 10
SLOW_READER = "sh -c 'while [ $(head -c 4096 | wc -c) -gt 0 ]; do sleep 0.3; done'"


@pytest.fixture
def echo() -> Iterator[str]:
    with echo_server() as address:
        yield address


def test_the_books_balance_after_any_number_of_kills(
    start_proxy: StartProxy, echo: str, tmp_path: Path
) -> None:
    admin = Administered(tmp_path / "admin")
    file = RoutesFile(tmp_path / "routes.yaml", {"workers": 2, "drain_timeout": "1s"})
    mirror = f"exec:{SLOW_READER}?scope=route"
    file.write(route("127.0.0.1:0", echo, mirrors=[mirror]), admin=f"unix:{admin.path}")
    proxy = file.start(start_proxy)
    proxy.expected_errors.add("worker_exited")
    admin.wait()
    kill_under_load(proxy)
    wait_until(lambda: admin.route()["active"] == 0, 20, "all have ended")
    wait_until(lambda: not errors_of(admin.route()), 20, "the last bytes are counted")

    exits = proxy.log.all("worker_exited")
    counted = admin.route()
    lost = sum(one["connections_lost"].get("main", 0) for one in exits)
    untold = sum(one["connections_untold"].get("main", 0) for one in exits)
    queued = sum(sum(one["mirror_bytes_lost"].values()) for one in exits)
    assert counted["ended"].get("worker_lost", 0) == lost
    assert counted["untold"] == untold > 0
    assert counted["mirrors"][0]["dropped"]["worker_lost"] == queued > 0
    assert admin.status()["worker_restarts"] == {"killed": KILLS, "crashed": 0, "hung": 0}
    assert_log_adds_up(proxy, admin, lost + untold, sum(one["log_lines_lost"] for one in exits))
    proxy.settle()  # the command of the mirror runs as long as the worker


def kill_under_load(proxy: ProxyCommand) -> None:
    with EchoLoad(proxy.port) as load:
        for number in range(KILLS):
            load.complete_more(100 + 30 * number)
            os.kill(proxy.workers()[number % 2], signal.SIGKILL)
            proxy.log.wait("worker_restarted", number + 1)


def errors_of(counted: dict[str, Any]) -> list[str]:
    """What does not add up."""
    [mirror] = counted["mirrors"]
    dropped = sum(mirror["dropped"].values())
    found = {
        "connections": counted["accepted"] == counted["active"] + sum(counted["ended"].values()),
        "reasons": mirror["dropped_bytes"] == dropped,
        "bytes": mirror["offered_bytes"]
        == mirror["delivered_bytes"] + dropped + mirror["lag_bytes"],
    }
    return [name for name, holds in found.items() if not holds]


def assert_log_adds_up(
    proxy: ProxyCommand, admin: Administered, without_line: int, lines_lost: int
) -> None:
    """Each connection has a line, is counted without one, or its line was lost with others."""

    def told() -> int:
        mirroring: int = admin.route()["mirroring"]
        return len(proxy.log.all("connection")) + without_line + mirroring

    wait_until(lambda: told() + lines_lost >= admin.route()["accepted"], 20, "lines are written")
    assert told() <= admin.route()["accepted"]
    assert admin.status()["log_lines_dropped"]["worker"] == lines_lost
