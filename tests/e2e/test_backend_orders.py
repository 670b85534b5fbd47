"""Orders for single backends, given by `ctl` while traffic flows."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from .administered import Administered
from .conftest import StartProxy
from .load import EchoLoad, echo_server, exchange
from .processes import wait_until
from .proxy_command import ProxyCommand
from .reloading import RoutesFile, reload

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CHECKED = {"health_check": {"interval": "200ms"}}


@pytest.fixture
def backends() -> Iterator[list[str]]:
    with echo_server() as one, echo_server() as other:
        yield [one, other]


class Balanced:
    """A proxy before two backends that each client may go to."""

    def __init__(self, start_proxy: StartProxy, backends: list[str], directory: Path) -> None:
        self.backends = backends
        self.admin = Administered(directory / "admin")
        self.file = RoutesFile(directory / "routes.yaml")
        self.write()
        self.proxy: ProxyCommand = self.file.start(start_proxy)
        self.admin.wait()

    def reload(self) -> None:
        """Put the file in effect; the workers of before are gone by then."""
        reload(self.proxy)
        wait_until(lambda: len(self.proxy.workers()) == 2, 20, "the older ones have ended")
        self.proxy.settle()

    def write(self, **route: object) -> None:
        main = {"name": "main", "listen": "127.0.0.1:0", "backends": self.backends, **route}
        self.file.write(main, admin=f"unix:{self.admin.path}")

    @property
    def port(self) -> int:
        """Of the newest listener: the kernel chooses a new one for each reload."""
        return int(self.admin.route()["listeners"][0].rpartition(":")[2])

    def route_ended(self, reason: str) -> int:
        """How many connections have ended for that reason."""
        return int(self.admin.route()["ended"].get(reason, 0))

    def count(self, number: int) -> int:
        """How many connections that backend has got."""
        return int(self.admin.backend(self.backends[number])["connections"])

    def order(self, number: int, *order: str) -> None:
        self.admin.ctl("backend", "main", self.backends[number], *order)

    def told(self, number: int) -> tuple[str, int]:
        """The state and weight of a backend."""
        backend = self.admin.backend(self.backends[number])
        return backend["state"], backend["weight"]

    def hold(self, stack: ExitStack, count: int) -> dict[str, list[socket.socket]]:
        """Open connections and leave them open; by their backend."""
        held: dict[str, list[socket.socket]] = {name: [] for name in self.backends}
        clients = [stack.enter_context(self.proxy.connect()) for _ in range(count)]
        for client in clients:
            exchange(client)
        found = self.admin.ctl("connections")["found"]
        backend_of = {one["client"]: one["backend"] for one in found}
        for client in clients:
            held[backend_of["{}:{}".format(*client.getsockname())]].append(client)
        assert all(held.values())
        return held


def settle(balanced: Balanced, load: EchoLoad, number: int) -> int:
    """Wait until a backend gets no more connections; returns how many it has got."""

    def stands_still() -> bool:
        before = balanced.count(number)
        load.complete_more(20)
        return balanced.count(number) == before

    wait_until(stands_still, 20, "no more connections")
    return balanced.count(number)


@pytest.mark.parametrize("route", [{}, CHECKED], ids=["unchecked", "checked"])
def test_drained_under_load_no_connection_fails_and_live_ones_stay(
    start_proxy: StartProxy, backends: list[str], tmp_path: Path, route: dict[str, object]
) -> None:
    balanced = Balanced(start_proxy, backends, tmp_path)
    balanced.write(**route)
    balanced.reload()
    with ExitStack() as stack, EchoLoad(balanced.port) as load:
        held = balanced.hold(stack, 8)
        balanced.order(0, "--state", "drain")
        assert balanced.told(0) == ("draining", 1)
        count = settle(balanced, load, 0)
        load.complete_more(100)
        assert balanced.count(0) == count
        balanced.order(0, "--state", "up")
        wait_until(lambda: balanced.count(0) > count, 20, "connections again")
        load.complete_more(100)
        for client in [client for clients in held.values() for client in clients]:
            exchange(client)
    assert load.failures == {}


def test_orders_outlive_workers_and_reloads(
    start_proxy: StartProxy, backends: list[str], tmp_path: Path
) -> None:
    balanced = Balanced(start_proxy, backends, tmp_path)
    balanced.proxy.expected_errors.add("worker_exited")
    balanced.order(0, "--state", "drain", "--weight", "7")
    for number, worker in enumerate(balanced.proxy.workers(), 1):
        os.kill(worker, signal.SIGKILL)
        balanced.proxy.log.wait("worker_restarted", number)
    balanced.write(**CHECKED)  # whose health starts anew
    balanced.reload()
    assert [balanced.told(number) for number in (0, 1)] == [("draining", 7), ("up", 1)]
    with EchoLoad(balanced.port) as load:
        load.complete_more(50)
    assert load.failures == {}
    assert balanced.count(0) == 0
    balanced.order(0, "--state", "up", "--weight", "1")
    assert balanced.told(0) == ("up", 1)


def test_disabled_ends_live_connections_where_the_route_says_so(
    start_proxy: StartProxy, backends: list[str], tmp_path: Path
) -> None:
    balanced = Balanced(start_proxy, backends, tmp_path)
    balanced.write(on_down="close")
    balanced.reload()
    with ExitStack() as stack, EchoLoad(balanced.port):
        held = balanced.hold(stack, 8)
        balanced.order(0, "--state", "disabled")
        for client in held[backends[0]]:
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        for client in held[backends[1]]:
            exchange(client)
    assert balanced.route_ended("backend_down") >= len(held[backends[0]])


def test_weights_under_load(start_proxy: StartProxy, backends: list[str], tmp_path: Path) -> None:
    balanced = Balanced(start_proxy, backends, tmp_path)
    balanced.order(0, "--weight", "9")
    with EchoLoad(balanced.port) as load:

        def is_weighed() -> bool:
            before = [balanced.count(number) for number in (0, 1)]
            load.complete_more(200)
            gained = [balanced.count(number) - before[number] for number in (0, 1)]
            return gained[0] > 5 * gained[1] > 0

        wait_until(is_weighed, 20, "nine of ten go to one backend")
    assert load.failures == {}


def test_close_all_of_a_backend(
    start_proxy: StartProxy, backends: list[str], tmp_path: Path
) -> None:
    balanced = Balanced(start_proxy, backends, tmp_path)
    with ExitStack() as stack:
        held = balanced.hold(stack, 8)
        answer = balanced.admin.ctl("close", "--backend", backends[0])
        assert answer == {"closed": len(held[backends[0]]), "silent": []}
        for client in held[backends[0]]:
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        for client in held[backends[1]]:
            exchange(client)
    assert balanced.route_ended("closed_by_operator") == len(held[backends[0]])


@pytest.mark.parametrize(
    ("order", "complaint"),
    [
        (("backend", "nowhere", "x", "--state", "up"), "there is no route 'nowhere': main"),
        (("backend", "main", "x", "--state", "up"), "there is no backend 'x': 127.0.0.1:"),
        (("backend", "main", "{}"), "nothing is ordered: state or weight"),
        (("backend", "main", "{}", "--state", "drain", "--weight", "999"), "999 is no weight"),
    ],
)
def test_what_cannot_be_ordered(
    start_proxy: StartProxy,
    backends: list[str],
    tmp_path: Path,
    order: tuple[str, ...],
    complaint: str,
) -> None:
    balanced = Balanced(start_proxy, backends, tmp_path)
    told = balanced.admin.ctl(*(word.format(backends[0]) for word in order), status=1)
    assert complaint in told
    assert balanced.told(0) == ("up", 1)
