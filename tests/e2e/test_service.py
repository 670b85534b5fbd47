"""What the command tells a service manager: sd_notify(3)."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import free_port

from .conftest import StartProxy
from .notify import NotifySocket
from .peers import Backend
from .processes import is_listening
from .reloading import RoutesFile, refused, route

pytestmark = pytest.mark.e2e


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NotifySocket]:
    name = f"{tmp_path}/notify" if request.param == "path" else f"@spliceproxy-test-{os.getpid()}"
    with NotifySocket(name) as manager:
        yield manager


@pytest.fixture
def quiet_manager(tmp_path: Path) -> Iterator[NotifySocket]:
    with NotifySocket(f"{tmp_path}/notify") as manager:
        yield manager


def test_start_reload_and_stop(
    start_proxy: StartProxy, manager: NotifySocket, tmp_path: Path
) -> None:
    routes_file = RoutesFile(tmp_path / "routes.yaml")
    port = free_port()
    with Backend() as backend:
        routes_file.write(route(f"127.0.0.1:{port}", backend.address))
        proxy = start_proxy("--config", str(routes_file.path), launcher=manager.launcher())
        ready = manager.wait("READY")
        assert ready["STATUS"] == "generation 1: 1 route, 0 connections, 2 workers"
        proxy.process.send_signal(signal.SIGHUP)
        reloading = manager.wait("RELOADING")
        assert int(reloading["MONOTONIC_USEC"]) > 0
        assert manager.wait("READY")["STATUS"].startswith("generation 2: 1 route")
        routes_file.path.write_text("")
        refused(proxy)
        assert "reload refused" in manager.wait("READY")["STATUS"]
        with proxy.connect() as client, backend.accept() as server:
            proxy.process.send_signal(signal.SIGTERM)
            assert manager.wait("STOPPING")["STOPPING"] == "1"
            proxy.log.wait("draining")
            client.close()
            server.close()
            assert proxy.wait_exit() == 0


def test_the_manager_hears_of_a_stop_before_the_listeners_close(
    start_proxy: StartProxy, quiet_manager: NotifySocket
) -> None:
    proxy = start_proxy("--backend", "127.0.0.1:9", launcher=quiet_manager.launcher())
    quiet_manager.wait("READY")
    stopped = proxy.workers()
    os.kill(stopped[0], signal.SIGSTOP)  # it holds the listener open
    try:
        proxy.process.send_signal(signal.SIGTERM)
        quiet_manager.wait("STOPPING")
        assert is_listening(proxy.port)
    finally:
        os.kill(stopped[0], signal.SIGCONT)
    assert proxy.wait_exit() == 0


def test_connections_are_counted_in_the_status(
    start_proxy: StartProxy, quiet_manager: NotifySocket
) -> None:
    watchdog = quiet_manager.launcher(WATCHDOG_USEC="400000")
    with Backend() as backend:
        proxy = start_proxy("--backend", backend.address, "--workers", "1", launcher=watchdog)
        with proxy.connect(), backend.accept():
            while "1 connection," not in quiet_manager.wait("STATUS")["STATUS"]:
                pass


@pytest.mark.slow
def test_the_watchdog_is_reset_as_long_as_all_workers_are_alive(
    start_proxy: StartProxy, quiet_manager: NotifySocket
) -> None:
    launcher = quiet_manager.launcher(WATCHDOG_USEC="3000000")
    proxy = start_proxy("--backend", "127.0.0.1:9", "--workers", "2", launcher=launcher)
    proxy.expected_errors.add("worker_exited")
    for _ in range(3):
        quiet_manager.wait("WATCHDOG")
    hung = proxy.workers()[0]
    os.kill(hung, signal.SIGSTOP)
    try:
        while not quiet_manager.is_silent(4):
            pass
    finally:
        os.kill(hung, signal.SIGCONT)
    quiet_manager.wait("WATCHDOG")
    os.kill(hung, signal.SIGKILL)  # a dead one is replaced: no reason for a restart of all
    for _ in range(2):
        quiet_manager.wait("WATCHDOG", timeout_s=3)


@pytest.mark.parametrize(
    "variables", [{"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_PID": "1"}]
)
def test_no_watchdog_is_reset_that_nobody_has_set(
    start_proxy: StartProxy, quiet_manager: NotifySocket, variables: dict[str, str]
) -> None:
    launcher = quiet_manager.launcher(**{"WATCHDOG_USEC": "200000"} | variables)
    start_proxy("--backend", "127.0.0.1:9", launcher=launcher)
    quiet_manager.wait("READY")
    assert quiet_manager.is_silent(0.5)


def test_a_manager_that_is_gone_is_no_reason_to_fail(
    start_proxy: StartProxy, tmp_path: Path
) -> None:
    with NotifySocket(f"{tmp_path}/notify") as manager:
        launcher = manager.launcher()
    proxy = start_proxy("--backend", "127.0.0.1:9", launcher=launcher)
    assert "refused" in proxy.log.wait("notify_failed")[0]["error"]


def test_commands_of_mirrors_are_not_told_of_the_manager(
    start_proxy: StartProxy, quiet_manager: NotifySocket, tmp_path: Path
) -> None:
    with Backend() as backend:
        mirror = f"exec:cat; env >{tmp_path}/environment?shell=yes"
        launcher = quiet_manager.launcher(WATCHDOG_USEC="9000000", LISTEN_PID="1", LISTEN_FDS="1")
        proxy = start_proxy("--backend", backend.address, "--mirror", mirror, launcher=launcher)
        with proxy.connect() as client, backend.accept():
            client.sendall(b"x")
        proxy.log.wait("connection")
    environment = (tmp_path / "environment").read_text()
    assert "PATH=" in environment
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "LISTEN_FDS"):
        assert name not in environment
