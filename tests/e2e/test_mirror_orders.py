"""Mirrors stopped, started, attached and detached by `ctl` while traffic flows."""

import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .administered import Administered
from .conftest import StartProxy
from .load import PAYLOAD, EchoLoad, echo_server, exchange
from .processes import wait_until
from .proxy_command import ProxyCommand
from .reloading import RoutesFile, reload

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture
def backend() -> Iterator[str]:
    with echo_server() as echo:
        yield echo


class Mirroring:
    """A proxy with two workers, and a mirror or none."""

    def __init__(
        self, start_proxy: StartProxy, backend: str, directory: Path, **route: object
    ) -> None:
        self.backend = backend
        self.directory = directory
        self.admin = Administered(directory / "admin")
        self.file = RoutesFile(directory / "routes.yaml")
        self.write(**route)
        self.proxy: ProxyCommand = self.file.start(start_proxy)
        self.admin.wait()

    def write(self, **route: object) -> None:
        main = {"name": "main", "listen": "127.0.0.1:0", "backends": [self.backend], **route}
        grants = ["null", "tcp", "exec", "file:/proc", f"file:{self.directory}"]
        self.file.write(main, admin={"listen": f"unix:{self.admin.path}", "attach": grants})

    def reload(self) -> None:
        reload(self.proxy)
        wait_until(lambda: len(self.proxy.workers()) == 2, 20, "the older ones have ended")
        self.proxy.settle()

    @property
    def port(self) -> int:
        return int(self.admin.route()["listeners"][0].rpartition(":")[2])

    def mirror(self, name: str) -> dict[str, Any]:
        return next(one for one in self.admin.route()["mirrors"] if one["name"] == name)

    def attached(self, number: int) -> dict[str, Any]:
        found = self.admin.ctl("mirror", "list")["found"]
        return next(one for one in found if one["id"] == number)

    def is_over(self, number: int) -> Callable[[], bool]:
        return lambda: self.attached(number)["state"] == "over"

    def connection(self, client: socket.socket) -> str:
        """The number of a connection."""
        name = "{}:{}".format(*client.getsockname())
        found = self.admin.ctl("connections")["found"]
        return next(str(one["number"]) for one in found if one["client"] == name)

    def kill_workers(self) -> None:
        self.proxy.expected_errors.add("worker_exited")
        restarted = len(self.proxy.log.all("worker_restarted"))
        for number, worker in enumerate(self.proxy.workers(), restarted + 1):
            os.kill(worker, signal.SIGKILL)
            self.proxy.log.wait("worker_restarted", number)
        self.proxy.settle()


def test_stopped_and_started_under_load(
    start_proxy: StartProxy, backend: str, tmp_path: Path
) -> None:
    name = "null:"
    it = Mirroring(start_proxy, backend, tmp_path, mirrors=[{"to": name}])
    with EchoLoad(it.port) as load, it.proxy.connect() as held:
        exchange(held)
        load.complete_more(50)
        answer = it.admin.ctl("mirror", "set", "main", name, "--state", "off", "--now")
        assert answer["streams_ended"] >= 2  # those of the held one at least
        load.complete_more(50)
        # Those of the held one are counted as long as it is there.
        wait_until(lambda: it.mirror(name)["open"] == 2, 20, "the others have ended")
        streams = it.mirror(name)["streams"]
        load.complete_more(50)
        exchange(held)
        assert it.mirror(name)["streams"] == streams
        assert it.mirror(name)["state"] == "off"
        labels = (("mirror", name), ("route", "main"))
        assert it.admin.samples()["spliceproxy_mirror_on", labels] == 0
        it.admin.ctl("mirror", "set", "main", name, "--state", "on", "--sample", "100%")
        load.complete_more(50)
        assert it.mirror(name)["streams"] > streams
    assert load.failures == {}
    wait_until(lambda: it.mirror(name)["open"] == 0, 20, "all streams have ended")
    orders = it.proxy.log.wait("admin_order", 2)
    assert [order["asker"].partition(" ")[0] for order in orders] == [f"uid={os.getuid()}"] * 2


def test_orders_outlive_workers_and_reloads(
    start_proxy: StartProxy, backend: str, tmp_path: Path
) -> None:
    it = Mirroring(start_proxy, backend, tmp_path, mirrors=[{"to": "null:"}])
    it.admin.ctl("mirror", "set", "main", "null:", "--state", "off", "--sample", "12.5%")
    it.kill_workers()
    it.reload()
    mirror = it.mirror("null:")
    assert (mirror["state"], mirror["sample"]) == ("off", 0.125)
    with EchoLoad(it.port) as load:
        load.complete_more(20)
    assert load.failures == {}
    assert it.mirror("null:")["streams"] == 0
    it.admin.ctl("mirror", "set", "main", "null:", "--sample", "configured")
    assert it.mirror("null:")["sample"] == 1


def test_attached_to_a_live_connection_for_a_time(
    start_proxy: StartProxy, backend: str, tmp_path: Path
) -> None:
    it = Mirroring(start_proxy, backend, tmp_path)
    copies = tmp_path / "copies"
    with it.proxy.connect() as client, EchoLoad(it.port) as load:
        exchange(client, b"before")
        answer = it.admin.ctl(
            *("mirror", "attach", f"file:{copies}", "--for", "4s"),
            *("--connection", it.connection(client)),
        )
        assert answer == {"id": 1, "mirror": f"file:{copies}@1", "route": "main"}
        for _ in range(3):
            exchange(client, PAYLOAD)
        assert it.attached(1)["state"] == "ok"
        wait_until(it.is_over(1), 20, "it ends by itself")
        exchange(client, b"after")
        load.complete_more(50)
    assert load.failures == {}
    [record] = copies.glob("*/*.json")
    assert json.loads(record.read_text())["attached_at"] == {"request": 6, "response": 6}
    for direction in ("request", "response"):
        [copy] = copies.glob(f"*/*-{direction}")
        assert copy.read_bytes() == PAYLOAD * 3
    assert it.mirror(f"file:{copies}@1")["delivered_bytes"] == 2 * 3 * len(PAYLOAD)
    [ended] = it.proxy.log.all("mirror_detached")
    assert ended["reason"] == "time_over"


def test_attached_to_a_route_outlives_workers_reloads_and_the_admin_process(
    start_proxy: StartProxy, backend: str, tmp_path: Path
) -> None:
    it = Mirroring(start_proxy, backend, tmp_path)
    answer = it.admin.ctl("mirror", "attach", "null:", "--route", "main", "--client", "127.0.0.1")
    assert (answer["id"], answer["mirror"]) == (1, "null:@1")

    def gains_streams() -> bool:
        before = it.mirror("null:@1")["streams"]
        with EchoLoad(it.port) as load:
            load.complete_more(20)
        assert load.failures == {}
        return bool(it.mirror("null:@1")["streams"] > before)

    assert gains_streams()
    it.kill_workers()
    wait_until(gains_streams, 20, "the new workers copy")
    it.reload()
    wait_until(gains_streams, 20, "the new generation copies")
    it.proxy.expected_errors.add("admin_exited")
    [*_, admin] = it.proxy.log.all("admin_started")
    os.kill(admin["pid"], signal.SIGKILL)
    it.proxy.log.wait("admin_started", 2)
    it.admin.wait()
    wait_until(lambda: bool(it.admin.ctl("mirror", "list")["found"]), 20, "it has heard of it")
    assert gains_streams()
    it.admin.ctl("mirror", "detach", "1")
    wait_until(it.is_over(1), 20, "it is over")
    assert not gains_streams()
    assert it.admin.ctl("mirror", "attach", "null:", "--route", "main")["id"] == 2
    it.admin.ctl("mirror", "detach", "2")


COMPLAINTS = [
    (("set", "main", "tcp://x:1", "--state", "on"), "there is no mirror 'tcp://x:1': null:"),
    (("set", "main", "null:"), "nothing is ordered: state or sample"),
    (("set", "main", "null:", "--state", "on", "--now"), "true only with state off"),
    (("set", "main", "null:", "--sample", "ten"), "'ten' is not understood"),
    (("attach", "null:"), "expected a route, or the number of a connection"),
    (("attach", "null:", "--route", "x"), "there is no route 'x': main"),
    (("attach", "nul:", "--route", "main"), "did you mean 'null'"),
    (("attach", "null:", "--connection", "0-99"), "there is no connection 0-99"),
    (("attach", "null:", "--route", "main", "--for", "5"), "has no unit"),
    (("attach", "null:", "--route", "main", "--client", "x"), "not an address or a network"),
    (("attach", "file:/proc/no/such", "--route", "main"), "cannot create files there"),
    (("attach", "file:/srv/no/such", "--route", "main"), "not granted: add file:/srv/no/such to"),
    (("attach", "file:/proc/x?max_age=1d", "--route", "main"), "max_age is for mirrors of the"),
    (("attach", "tcp://127.0.0.1:9?overflow=block", "--route", "main"), "overflow=block needs"),
    (("attach", "exec:no-such-program", "--route", "main"), "is not in PATH"),
    (("attach", "tcp://no.such.invalid:1", "--route", "main"), "no.such.invalid"),
    (("detach", "7"), "there is no attachment 7"),
]


def test_what_cannot_be_ordered(start_proxy: StartProxy, backend: str, tmp_path: Path) -> None:
    it = Mirroring(start_proxy, backend, tmp_path, mirrors=[{"to": "null:"}])
    for order, complaint in COMPLAINTS:
        assert complaint in it.admin.ctl("mirror", *order, status=1)
    assert it.mirror("null:")["state"] == "ok"
    assert it.admin.ctl("mirror", "list") == {"found": []}
