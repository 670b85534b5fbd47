"""Workers that hang: noticed, told of, killed and replaced, while the others go on."""

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from .administered import Administered
from .conftest import StartProxy
from .load import EchoLoad, echo_server, exchange
from .processes import is_alive, wait_until
from .proxy_command import Launcher, ProxyCommand, clean_environment
from .reloading import RoutesFile, route
from .spinning import SPIN_FILE

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.alone("a worker that gets no processor for two seconds counts as hung"),
]

PROJECT = Path(__file__).parents[2]
HUNG_CONNECTIONS = 3
HANG_TIMEOUT = "2s"


@pytest.fixture
def echo() -> Iterator[str]:
    with echo_server() as address:
        yield address


class Hanging:
    """A proxy of two workers whose patience is short."""

    def __init__(
        self, start_proxy: StartProxy, echo: str, directory: Path, timeout: str = HANG_TIMEOUT
    ) -> None:
        self.admin = Administered(directory / "admin")
        self.spin_file = directory / "spin"
        file = RoutesFile(directory / "routes.yaml")
        file.write(
            route("127.0.0.1:0", echo), admin=f"unix:{self.admin.path}", hang_timeout=timeout
        )
        launcher = Launcher(
            (sys.executable, "-m", "tests.e2e.spinning"),
            {**clean_environment(), SPIN_FILE: str(self.spin_file)},
            directory=str(PROJECT),
        )
        self.proxy: ProxyCommand = start_proxy("--config", str(file.path), launcher=launcher)
        self.proxy.expected_errors |= {"worker_hangs", "worker_exited"}
        self.admin.wait()

    def hold(self, stack: ExitStack, stopped: int) -> list[socket.socket]:
        """Open connections that the other worker serves, since this one is stopped."""
        os.kill(stopped, signal.SIGSTOP)
        try:
            held = [stack.enter_context(self.proxy.connect()) for _ in range(HUNG_CONNECTIONS)]
            for client in held:
                exchange(client)
        finally:
            os.kill(stopped, signal.SIGCONT)
        return held


def test_a_stopped_worker_is_replaced_under_load(
    start_proxy: StartProxy, echo: str, tmp_path: Path
) -> None:
    hanging = Hanging(start_proxy, echo, tmp_path)
    proxy = hanging.proxy
    victim, other = proxy.workers()
    with ExitStack() as stack:
        theirs, ours = hanging.hold(stack, other), hanging.hold(stack, victim)
        accepted = hanging.admin.route()["accepted"]
        os.kill(victim, signal.SIGSTOP)
        with EchoLoad(proxy.port) as load:
            hangs = proxy.log.wait("worker_hangs")[0]
            proxy.log.wait("worker_restarted")
            load.complete_more(50)
        assert hangs["pid"] == victim
        assert hangs["silent_s"] >= 2
        assert hangs["state"].startswith("T")
        assert hangs["stack"] == []
        assert not is_alive(victim)
        for client in ours:
            exchange(client)
        for client in theirs:
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        for line in proxy.log.all("connection_lost"):
            assert not line["client"].endswith(":0"), "a listener has no client"
        lost = {line["client"]: line for line in proxy.log.all("connection_lost")}
        for client in theirs:
            line = lost["{}:{}".format(*client.getsockname())]
            assert (line["route"], line["listener"]) == ("main", proxy.listener)
        ended = proxy.log.wait("worker_exited")[0]
        assert ended["signal"] == "SIGKILL"
        # Clients of the load that the stopped worker was woken for are among them.
        assert ended["connections_lost"]["main"] >= HUNG_CONNECTIONS
        counted = hanging.admin.route()
        assert counted["accepted"] >= accepted
        assert counted["ended"]["worker_lost"] == ended["connections_lost"]["main"]
    wait_until(lambda: hanging.admin.route()["active"] == 0, 20, "all have ended")
    counted = hanging.admin.route()
    assert sum(counted["ended"].values()) == counted["accepted"]


def test_a_worker_that_spins_tells_where(
    start_proxy: StartProxy, echo: str, tmp_path: Path
) -> None:
    hanging = Hanging(start_proxy, echo, tmp_path)
    proxy = hanging.proxy
    before = proxy.workers()
    hanging.spin_file.touch()
    with EchoLoad(proxy.port, threads=1) as load:
        hangs = proxy.log.wait("worker_hangs", timeout_s=30)[0]
        proxy.log.wait("worker_restarted")
        load.complete_more(20)
    assert hangs["pid"] in before
    assert any("spin_for_ever" in line for line in hangs["stack"])
    assert hangs["state"].startswith("R")
    assert len(set(proxy.workers()) & set(before)) == 1
    assert len(proxy.log.all("worker_hangs")) == 1


def test_with_a_timeout_of_zero_nobody_is_killed(
    start_proxy: StartProxy, echo: str, tmp_path: Path
) -> None:
    hanging = Hanging(start_proxy, echo, tmp_path, timeout="0s")
    proxy = hanging.proxy
    victim, _ = proxy.workers()
    os.kill(victim, signal.SIGSTOP)
    try:
        wait_until(
            lambda: max(w["heartbeat_age_s"] for w in hanging.admin.status()["workers"]) > 4,
            20,
            "a heart stands still",
        )
        assert proxy.log.all("worker_hangs") == []
    finally:
        os.kill(victim, signal.SIGCONT)
    assert is_alive(victim)


def test_a_machine_that_was_suspended_has_no_hung_workers(
    start_proxy: StartProxy, echo: str, tmp_path: Path
) -> None:
    hanging = Hanging(start_proxy, echo, tmp_path)
    proxy = hanging.proxy
    everybody = [*proxy.workers(), proxy.pid]
    time.sleep(2.5)  # by then the master has looked at them
    for pid in everybody:
        os.kill(pid, signal.SIGSTOP)
    wait_until(
        lambda: max(w["heartbeat_age_s"] for w in hanging.admin.status()["workers"]) > 4,
        20,
        "hearts stand still",
    )
    # The master first: it must not take the workers for hung before they run again.
    os.kill(proxy.pid, signal.SIGCONT)
    time.sleep(0.5)
    for pid in everybody:
        os.kill(pid, signal.SIGCONT)
    with EchoLoad(proxy.port, threads=1) as load:
        load.complete_more(50)
    wait_until(
        lambda: max(w["heartbeat_age_s"] for w in hanging.admin.status()["workers"]) < 1.5,
        20,
        "hearts beat",
    )
    assert proxy.log.all("worker_hangs") == []
