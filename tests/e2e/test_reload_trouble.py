"""Reloads that meet with signals, deaths and names that hang."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.ports import free_port

from .conftest import StartProxy
from .peers import Backend, receive_exactly
from .processes import children, wait_until
from .proxy_command import ProxyCommand
from .reloading import RoutesFile, reload, route, wait_for_generation

pytestmark = pytest.mark.e2e


@pytest.fixture
def backend() -> Iterator[Backend]:
    with Backend() as backend:
        yield backend


@pytest.fixture
def routes_file(tmp_path: Path, backend: Backend) -> RoutesFile:
    routes_file = RoutesFile(tmp_path / "routes.yaml")
    routes_file.write(route(f"127.0.0.1:{free_port()}", backend.address))
    return routes_file


@contextmanager
def loading(proxy: ProxyCommand, routes_file: RoutesFile) -> Iterator[int]:
    """Ask for a reload that hangs at the file, which nobody writes; yields who loads it."""
    content = routes_file.path.read_bytes()
    routes_file.path.unlink()
    os.mkfifo(routes_file.path)
    before = set(proxy.workers())
    proxy.process.send_signal(signal.SIGHUP)
    wait_until(lambda: set(children(proxy.pid)) - before, 10, "a process that loads")
    [loader] = set(children(proxy.pid)) - before
    yield loader
    routes_file.path.unlink()
    routes_file.path.write_bytes(content)


def talk(proxy: ProxyCommand, backend: Backend) -> None:
    with proxy.connect() as client, backend.accept() as server:
        client.sendall(b"x")
        assert receive_exactly(server, 1) == b"x"


def test_a_file_that_hangs_holds_up_nobody(
    start_proxy: StartProxy, routes_file: RoutesFile, backend: Backend
) -> None:
    proxy = routes_file.start(start_proxy)
    proxy.expected_errors |= {"worker_exited", "reload_refused"}
    with loading(proxy, routes_file) as loader:
        talk(proxy, backend)
        # The master goes on tending its workers.
        os.kill(proxy.workers()[0], signal.SIGKILL)
        proxy.log.wait("worker_restarted")
        talk(proxy, backend)
        os.kill(loader, signal.SIGKILL)
        assert "SIGKILL" in proxy.log.wait("reload_refused")[0]["reason"]
    assert reload(proxy)["generation"] == 2


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_stop_during_a_reload(
    start_proxy: StartProxy, routes_file: RoutesFile, asked: signal.Signals
) -> None:
    proxy = routes_file.start(start_proxy)
    proxy.expected_errors.add("reload_refused")
    with loading(proxy, routes_file):
        proxy.process.send_signal(asked)
        assert proxy.wait_exit() == 0
    assert "stop" in proxy.log.wait("reload_refused")[0]["reason"]
    assert proxy.log.all("reloaded") == []


@pytest.mark.slow
@pytest.mark.parametrize("delay_ms", range(0, 100, 10))
def test_a_stop_at_any_time_after_the_signal(
    start_proxy: StartProxy, routes_file: RoutesFile, delay_ms: int
) -> None:
    proxy = routes_file.start(start_proxy)
    proxy.expected_errors.add("reload_refused")
    proxy.process.send_signal(signal.SIGHUP)
    time.sleep(delay_ms / 1000)
    proxy.process.send_signal(signal.SIGTERM)
    assert proxy.wait_exit() == 0


def test_signals_during_a_reload_are_one_more(
    start_proxy: StartProxy, routes_file: RoutesFile, backend: Backend
) -> None:
    proxy = routes_file.start(start_proxy)
    proxy.expected_errors.add("reload_refused")
    with loading(proxy, routes_file) as loader:
        for _ in range(5):
            proxy.process.send_signal(signal.SIGHUP)
            time.sleep(0.01)
        assert len(proxy.log.wait("reload_started")) == 1
    os.kill(loader, signal.SIGKILL)
    assert proxy.log.wait("reloaded")[0]["generation"] == 2
    wait_for_generation(proxy, 2)
    assert len(proxy.log.all("reload_started")) == 2
    talk(proxy, backend)


def test_twenty_signals_at_once(
    start_proxy: StartProxy, routes_file: RoutesFile, backend: Backend
) -> None:
    proxy = routes_file.start(start_proxy)
    with proxy.connect() as client, backend.accept() as server:
        for _ in range(20):
            proxy.process.send_signal(signal.SIGHUP)
        proxy.log.wait("reloaded")
        wait_until(
            lambda: len(proxy.log.all("reload_started")) == len(proxy.log.all("reloaded")), 20, "it"
        )
        assert 1 <= len(proxy.log.all("reloaded")) <= 20
        talk(proxy, backend)
        client.sendall(b"x")
        assert receive_exactly(server, 1) == b"x"
        assert proxy.log.all("reload_refused") == []
        # Another one may have begun since: the stop gives it up.
        proxy.expected_errors.add("reload_refused")


def test_workers_that_die_around_a_reload(
    start_proxy: StartProxy, routes_file: RoutesFile, backend: Backend
) -> None:
    proxy = routes_file.start(start_proxy)
    proxy.expected_errors.add("worker_exited")
    old = proxy.workers()
    with proxy.connect() as client, backend.accept():
        reload(proxy)
        wait_until(lambda: len(proxy.workers()) == 3, 10, "the one with the connection is left")
        [draining] = set(old) & set(proxy.workers())
        current = set(proxy.workers()) - {draining}
        os.kill(draining, signal.SIGKILL)  # it is not replaced
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        proxy.log.wait("generation_ended")
        assert set(proxy.workers()) == current
        os.kill(min(current), signal.SIGKILL)  # it is
        said = proxy.log.wait("worker_restarted")[0]
        assert said["generation"] == 2
    exits = [(line["generation"], line["signal"]) for line in proxy.log.all("worker_exited")]
    assert exits == [(1, "SIGKILL"), (2, "SIGKILL")]
    talk(proxy, backend)


def test_a_new_worker_that_is_killed_at_once(
    start_proxy: StartProxy, routes_file: RoutesFile, backend: Backend
) -> None:
    """It may have accepted or not: the reload succeeds or is refused, and clients are served."""
    proxy = routes_file.start(start_proxy)
    proxy.expected_errors |= {"worker_exited", "reload_refused"}

    def ended() -> int:
        return len(proxy.log.all("reloaded")) + len(proxy.log.all("reload_refused"))

    for number in range(1, 6):
        before = set(proxy.workers())
        proxy.process.send_signal(signal.SIGHUP)
        while not (new := set(proxy.workers()) - before):  # the one that loads is the first
            time.sleep(0.001)
        first = new
        while not (new := set(proxy.workers()) - before - first):
            time.sleep(0.001)
        os.kill(max(new), signal.SIGKILL)
        wait_until(partial(lambda number: ended() >= number, number), 20, "the end of the reload")
        talk(proxy, backend)
        wait_until(lambda: len(proxy.workers()) == 2, 20, "two workers")


def test_old_connections_are_reset_at_their_deadline(
    start_proxy: StartProxy, routes_file: RoutesFile, backend: Backend
) -> None:
    content = routes_file.path.read_text()
    proxy = routes_file.start(start_proxy)
    with proxy.connect() as client, backend.accept() as server:
        routes_file.path.write_text(f"{content}reload_drain_timeout: 500ms\n")
        reload(proxy)
        for end in (client, server):
            with pytest.raises(ConnectionResetError):
                end.recv(1)
        wait_for_generation(proxy, 2)
    assert proxy.log.wait("connection")[0]["reason"] == "drain_deadline"


def test_a_stop_does_not_wait_for_what_a_reload_has_left(
    start_proxy: StartProxy, routes_file: RoutesFile, backend: Backend
) -> None:
    content = routes_file.path.read_text()
    routes_file.path.write_text(f"{content}drain_timeout: 500ms\n")
    proxy = routes_file.start(start_proxy)
    with proxy.connect() as client, backend.accept():
        reload(proxy)
        proxy.process.send_signal(signal.SIGTERM)
        assert proxy.wait_exit() == 0
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_old_workers_that_do_not_run_hold_up_neither_the_reload_nor_clients(
    start_proxy: StartProxy, routes_file: RoutesFile, backend: Backend
) -> None:
    """A stopped worker of the old generation has the listener in its epoll set still."""
    proxy = routes_file.start(start_proxy)
    old = proxy.workers()
    for pid in old:
        os.kill(pid, signal.SIGSTOP)
    try:
        reload(proxy)
        for _ in range(4):
            with proxy.connect() as client, backend.accept() as server:
                client.sendall(b"x")
                assert receive_exactly(server, 1) == b"x"
    finally:
        for pid in old:
            os.kill(pid, signal.SIGCONT)
    wait_for_generation(proxy, 2)
