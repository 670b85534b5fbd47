"""Limits, rates and bandwidths are the proxy's: of all workers of all generations together."""

import os
import selectors
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from .conftest import StartProxy
from .peers import Backend, receive_exactly, reset
from .processes import wait_until
from .proxy_command import ProxyCommand
from .reloading import RoutesFile, reload, wait_for_generation

pytestmark = pytest.mark.e2e

WORKERS = 3
OVERSHOOT = WORKERS - 1
"""Of rates and of clients: others may look at the same moment as the one who may."""
NOBODY_S = 0.5
"""So long a test waits for what must not come."""


of_backend_and_route = pytest.mark.parametrize(
    "limit", [{"at_backend": 1}, {"max_connections": 1}], ids=["backend", "route"]
)


@pytest.fixture
def routes_file(tmp_path: Path) -> RoutesFile:
    return RoutesFile(tmp_path / "routes.yaml", {"workers": WORKERS})


@pytest.fixture
def backend() -> Iterator[Backend]:
    with Backend() as backend:
        yield backend


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """Closes the sockets of a test."""
    with ExitStack() as stack:
        yield stack


def route(backend: Backend, at_backend: int | None = None, **of_route: Any) -> dict[str, Any]:
    entry: dict[str, Any] = {"address": backend.address}
    if at_backend is not None:
        entry["max_connections"] = at_backend
    return {"name": "main", "listen": "127.0.0.1:0", "backends": [entry], **of_route}


def arrivals(backend: Backend, opened: ExitStack, wait_s: float = NOBODY_S) -> list[socket.socket]:
    """Those who get through until nobody does for a while."""
    found = []
    while True:
        try:
            found.append(opened.enter_context(backend.accept(wait_s)))
        except TimeoutError:
            return found


def knock(proxy: ProxyCommand, opened: ExitStack, times: int) -> None:
    """Connect so often; some are turned away, however soon that comes."""
    for _ in range(times):
        with suppress(ConnectionResetError):
            opened.enter_context(proxy.connect())


@contextmanager
def only(proxy: ProxyCommand, taking: int) -> Iterator[None]:
    """Let one worker take all clients."""
    others = [pid for pid in proxy.workers() if pid != taking]
    for pid in others:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in others:
            os.kill(pid, signal.SIGCONT)


@of_backend_and_route
def test_a_limit_is_meant_once_whatever_reloads_there_have_been(
    start_proxy: StartProxy,
    routes_file: RoutesFile,
    backend: Backend,
    opened: ExitStack,
    limit: dict[str, Any],
) -> None:
    routes_file.write(route(backend, queue={"timeout": "60s"}, **limit))
    proxy = routes_file.start(start_proxy)
    clients = [opened.enter_context(proxy.connect())]
    (server,) = arrivals(backend, opened)
    for _ in range(3):
        reload(proxy)
        clients.append(opened.enter_context(proxy.connect()))
        assert arrivals(backend, opened) == []
    for _ in range(3):
        reset(server)
        (server,) = arrivals(backend, opened, 2.0)
    for client in clients:
        client.close()
    server.close()
    wait_for_generation(proxy, 4)
    proxy.settle()


@of_backend_and_route
def test_what_a_killed_worker_had_comes_back(
    start_proxy: StartProxy,
    routes_file: RoutesFile,
    backend: Backend,
    opened: ExitStack,
    limit: dict[str, Any],
) -> None:
    routes_file.write(route(backend, queue={"timeout": "60s"}, **limit), workers=2)
    proxy = routes_file.start(start_proxy)
    proxy.expected_errors.add("worker_exited")
    doomed, other = proxy.workers()
    with only(proxy, doomed):
        opened.enter_context(proxy.connect())
        assert len(arrivals(backend, opened)) == 1
    with only(proxy, other):
        waiting = opened.enter_context(proxy.connect())
        assert arrivals(backend, opened) == []
    os.kill(doomed, signal.SIGKILL)
    with backend.accept() as server:
        server.sendall(b"!")
        assert receive_exactly(waiting, 1) == b"!"
    proxy.log.wait("worker_restarted")


def test_places_in_all_workers(
    start_proxy: StartProxy, routes_file: RoutesFile, backend: Backend, opened: ExitStack
) -> None:
    routes_file.write(route(backend, max_connections=4))
    proxy = routes_file.start(start_proxy)
    for _ in range(4 * WORKERS):
        opened.enter_context(proxy.connect())
    held = arrivals(backend, opened)
    assert len(held) == 4
    for server in held:
        reset(server)
    assert len(arrivals(backend, opened, 2.0)) == 4


def test_the_rate_of_a_route(
    start_proxy: StartProxy, routes_file: RoutesFile, backend: Backend, opened: ExitStack
) -> None:
    routes_file.write(route(backend, rate={"limit": "1/h", "burst": 5}))
    proxy = routes_file.start(start_proxy)
    for _ in range(5 * WORKERS):
        opened.enter_context(proxy.connect())
    assert 5 <= len(arrivals(backend, opened)) <= 5 + OVERSHOOT


def test_the_rate_of_a_client(
    start_proxy: StartProxy, routes_file: RoutesFile, backend: Backend, opened: ExitStack
) -> None:
    rate = {"limit": "1/h", "burst": 5}
    routes_file.write(route(backend, per_client={"rate": rate}))
    proxy = routes_file.start(start_proxy)
    knock(proxy, opened, 5 * WORKERS)
    assert 5 <= len(arrivals(backend, opened)) <= 5 + OVERSHOOT
    reload(proxy)
    knock(proxy, opened, 5)
    assert arrivals(backend, opened) == []
    opened.close()
    wait_for_generation(proxy, 2)
    proxy.settle()


def test_the_connections_of_a_client(
    start_proxy: StartProxy, routes_file: RoutesFile, backend: Backend, opened: ExitStack
) -> None:
    routes_file.write(route(backend, per_client={"max_connections": 5}))
    proxy = routes_file.start(start_proxy)
    proxy.expected_errors.add("worker_exited")

    def connect_often() -> list[socket.socket]:
        knock(proxy, opened, 5 * WORKERS)
        return arrivals(backend, opened)

    held = connect_often()
    assert 5 <= len(held) <= 5 + OVERSHOOT
    assert connect_often() == []
    for pid in proxy.workers():
        os.kill(pid, signal.SIGKILL)
    proxy.log.wait("worker_restarted", WORKERS)
    assert 5 <= len(connect_often()) <= 5 + OVERSHOOT
    opened.close()
    proxy.settle()


def test_the_bandwidth_of_a_route(
    start_proxy: StartProxy, routes_file: RoutesFile, backend: Backend, opened: ExitStack
) -> None:
    bytes_s, wanted, burst_s = 1 << 20, 3 << 20, 0.1
    routes_file.write(route(backend, bandwidth={"route": "1MiB/s"}))
    proxy = routes_file.start(start_proxy)
    with selectors.DefaultSelector() as selector:
        for _ in range(4 * WORKERS):
            client = opened.enter_context(proxy.connect())
            server = opened.enter_context(backend.accept())
            client.setblocking(False)
            server.setblocking(False)
            selector.register(client, selectors.EVENT_READ)
            selector.register(server, selectors.EVENT_WRITE)
        received, began_s, data = 0, time.monotonic(), bytes(1 << 16)
        while received < wanted:
            for key, _ in selector.select(20):
                sock: socket.socket = key.fileobj  # type: ignore[assignment]
                if key.events == selectors.EVENT_READ:
                    received += len(sock.recv(1 << 16))
                else:
                    sock.send(data)
        took_s = time.monotonic() - began_s
    # Each worker may have had a burst more than was there.
    assert took_s >= wanted / bytes_s - burst_s * (1 + OVERSHOOT) - 0.05


def test_generations_that_are_too_many_drain_faster(
    start_proxy: StartProxy, routes_file: RoutesFile, backend: Backend, opened: ExitStack
) -> None:
    most, enough = 3, 9
    clients: list[socket.socket] = []
    routes_file.write(route(backend), workers=1, max_generations=most)
    proxy = routes_file.start(start_proxy)
    # A client may still be the older generation's, which hears of its drain a little later.
    while len(proxy.log.all("generation_hurried")) < enough:
        assert len(clients) < 3 * enough
        clients.append(opened.enter_context(proxy.connect()))
        opened.enter_context(backend.accept())
        reload(proxy)
    hurried = proxy.log.all("generation_hurried")
    numbers = [line["generation"] for line in hurried]
    assert numbers == sorted(numbers)
    assert numbers[0] == 1
    assert all(line["workers"] == 1 for line in hurried)
    assert all("max_generations" in line["remedy"] for line in hurried)
    wait_until(lambda: len(proxy.workers()) <= most + 1, 20, "the others have ended")
    lost = sum(line["connections"]["main"] for line in hurried)
    for client in clients[:lost]:
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    for client in clients[lost:]:
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.recv(1)
    ended = {line["reason"] for line in proxy.log.all("connection")}
    assert ended == {"drain_deadline"}
    opened.close()
    wait_until(lambda: len(proxy.workers()) == 1, 20, "the last one is left")
    proxy.settle()
