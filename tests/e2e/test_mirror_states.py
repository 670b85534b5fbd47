"""A mirror that is dead, and how whoever watches learns of it: log, `ctl`, metrics, hatop."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ports import free_port

from .administered import Administered
from .conftest import StartProxy
from .load import echo_server, exchange
from .processes import wait_until
from .reloading import RoutesFile
from .terminal import Terminal

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture
def backend() -> Iterator[str]:
    with echo_server() as echo:
        yield echo


def test_a_dead_mirror_is_red_everywhere(
    start_proxy: StartProxy, backend: str, program: Callable[[str], str], tmp_path: Path
) -> None:
    port = free_port()
    name = f"tcp://127.0.0.1:{port}"
    admin = Administered(tmp_path / "admin")
    file = RoutesFile(tmp_path / "routes.yaml")
    file.write(
        {"name": "main", "listen": "127.0.0.1:0", "backends": [backend], "mirrors": [{"to": name}]},
        admin={"listen": f"unix:{admin.path}"},
        stats_socket=f"unix:{tmp_path}/stats.sock",
    )
    proxy = file.start(start_proxy)
    admin.wait()

    def mirror() -> dict[str, object]:
        [mirror] = admin.route()["mirrors"]
        return {key: mirror[key] for key in ("state", "reason")}

    def state(name_of_state: str) -> float:
        labels = (("mirror", name), ("route", "main"), ("state", name_of_state))
        return admin.samples()["spliceproxy_mirror_state", labels]

    assert mirror() == {"state": "ok", "reason": ""}
    listening = int(admin.route()["listeners"][0].rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", listening), 10) as client:
        exchange(client)
    failing = {"state": "failing", "reason": "mirror_refused"}
    wait_until(lambda: mirror() == failing, 20, "one of two workers has found out")
    assert (state("failing"), state("ok"), state("off")) == (1, 0, 0)
    [line] = proxy.log.wait("mirror_failing")
    assert (line["route"], line["mirror"], line["reason"]) == ("main", name, "mirror_refused")
    hatop = (program("hatop"), "-s", str(tmp_path / "stats.sock"))
    with Terminal(*hatop) as screen:
        screen.wait(">>> main", f":{port}", "DOWN", "failing")  # names are cut where they begin
    admin.ctl("mirror", "set", "main", name, "--state", "off")
    assert mirror()["state"] == "off"
    assert (state("failing"), state("off")) == (0, 1)
