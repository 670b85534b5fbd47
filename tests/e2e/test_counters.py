"""Counters: they never go backwards, and they are the sum of the access log."""

import os
import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port

from .administered import Administered, Samples
from .conftest import StartProxy
from .load import EchoLoad, echo_server, exchange
from .peers import Backend, reset
from .processes import wait_until
from .proxy_command import ProxyCommand
from .reloading import RoutesFile

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ONLY_GROWS = ("_total", "_count", "_sum", "_bucket")
OF_A_PROCESS = "spliceproxy_process_cpu_seconds_total"
"""Begins anew with each process, as everybody's does."""
SUMS = ("request_bytes", "response_bytes", "spliced_bytes", "copied_bytes", "undelivered_bytes")


@pytest.fixture
def echo() -> Iterator[str]:
    with echo_server() as address:
        yield address


class Poller(threading.Thread):
    """Reads the metrics page again and again, and notes what has gone backwards."""

    def __init__(self, admin: Administered) -> None:
        super().__init__()
        self._admin = admin
        self._done = threading.Event()
        self.polls = 0
        self.backwards: list[tuple[object, float, float]] = []
        self.failures: list[Exception] = []

    def run(self) -> None:
        before: Samples = {}
        while not self._done.is_set():
            try:
                now = self._admin.samples()
            except Exception as error:
                self.failures.append(error)
                return
            for sample, value in now.items():
                only_grows = sample[0].endswith(ONLY_GROWS) and sample[0] != OF_A_PROCESS
                if only_grows and value < before.get(sample, 0):
                    self.backwards.append((sample, before[sample], value))
            before |= now
            self.polls += 1

    def finish(self) -> None:
        self._done.set()
        self.join(30)


@contextmanager
def polled(admin: Administered) -> Iterator[Poller]:
    poller = Poller(admin)
    poller.start()
    try:
        yield poller
    finally:
        poller.finish()


def test_counters_never_go_backwards(start_proxy: StartProxy, echo: str, tmp_path: Path) -> None:
    admin = Administered(tmp_path / "admin")
    file = RoutesFile(tmp_path / "routes.yaml", {"workers": 2, "admin": f"unix:{admin.path}"})
    main = {
        "name": "main",
        "listen": f"127.0.0.1:{free_port()}",
        "backends": [echo],
        "mirrors": {"to": "null:"},
    }
    file.write(main)
    proxy = file.start(start_proxy)
    admin.wait()
    proxy.expected_errors.add("worker_exited")
    with EchoLoad(proxy.port) as load, polled(admin) as poller:
        for turn in range(4):
            load.complete_more(30)
            file.write(main, log={"level": ("info", "debug")[turn % 2]})
            admin.ctl("reload")
            load.complete_more(30)
            os.kill(serving_worker(admin), signal.SIGKILL)
            proxy.log.wait("worker_restarted", turn + 1)
    assert poller.failures == []
    assert poller.backwards == []
    assert poller.polls > 8
    wait_until(lambda: len(proxy.workers()) == 2, 20, "older generations have ended")
    proxy.settle()
    wait_until(lambda: admin.route()["active"] == 0, 20, "all have ended")
    counted = admin.route()
    assert sum(counted["ended"].values()) == counted["accepted"] >= load.completed


def serving_worker(admin: Administered) -> int:
    """The process of a worker of the newest generation."""
    status = admin.status()
    return next(
        int(worker["pid"])
        for worker in status["workers"]
        if worker["generation"] == status["generation"]
    )


def end_in_many_ways(proxy: ProxyCommand, ports: dict[str, int], backend: Backend) -> None:
    """Make connections whose ends differ."""

    def connect(route: str) -> socket.socket:
        return socket.create_connection(("127.0.0.1", ports[route]), timeout=20)

    for number in range(30):
        with connect("echo") as client:
            exchange(client, b"x" * (1 + 997 * number))
    for _ in range(5):
        client = connect("played")
        with backend.accept() as server:
            client.sendall(b"hello")
            assert server.recv(5) == b"hello"
            reset(client)
    for _ in range(3):
        with connect("played") as client:
            server = backend.accept()
            server.sendall(b"no")
            assert client.recv(2) == b"no"
            reset(server)
            with pytest.raises(ConnectionResetError):
                client.recv(1)
    for _ in range(2):
        with pytest.raises(ConnectionResetError), connect("nowhere") as client:
            client.recv(1)
    with connect("echo") as client:
        exchange(client)


def sums_of_lines(lines: list[dict[str, Any]], route: str) -> dict[str, Any]:
    ours = [line for line in lines if line["route"] == route]
    return {
        "ended": dict(Counter(line["reason"] for line in ours)),
        "accepted": len(ours),
        **{name: sum(line[name] for line in ours) for name in SUMS},
    }


def test_the_counters_are_the_sum_of_the_access_log(
    start_proxy: StartProxy, echo: str, tmp_path: Path
) -> None:
    admin = Administered(tmp_path / "admin")
    file = RoutesFile(tmp_path / "routes.yaml", {"workers": 2, "admin": f"unix:{admin.path}"})
    ports = {name: free_port() for name in ("echo", "played", "nowhere")}
    with Backend() as backend:
        targets = {"echo": echo, "played": backend.address, "nowhere": f"127.0.0.1:{free_port()}"}
        file.write(
            *(
                {"name": name, "listen": f"127.0.0.1:{port}", "backends": [targets[name]]}
                for name, port in ports.items()
            )
        )
        proxy = file.start(start_proxy)
        admin.wait()
        end_in_many_ways(proxy, ports, backend)
        admin.ctl("reload")
        end_in_many_ways(proxy, ports, backend)
    lines = proxy.log.wait("connection", 82)
    wait_until(lambda: len(proxy.workers()) == 2, 20, "older generations have ended")
    proxy.settle()
    assert len(proxy.log.all("connection")) == 82
    for route in ports:
        counted = admin.route(route)
        expected = sums_of_lines(lines, route)
        found = {name: counted[name] for name in expected}
        found["ended"] = {reason: count for reason, count in found["ended"].items() if count}
        assert found == expected
        at_backends = [counted["backends"][0][name] for name in ("request_bytes", "response_bytes")]
        assert at_backends == [expected["request_bytes"], expected["response_bytes"]]
    reasons = {reason for route in ports for reason in admin.route(route)["ended"]}
    assert reasons >= {"closed", "client_reset", "backend_reset", "backend_refused"}
