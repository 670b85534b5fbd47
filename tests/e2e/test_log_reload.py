"""Log places that a reload changes, whole or not at all."""

import json
from pathlib import Path

import pytest

from .administered import Administered
from .conftest import StartProxy
from .peers import Backend
from .processes import wait_until
from .proxy_command import ProxyCommand
from .reloading import RoutesFile, refused, reload, route

pytestmark = pytest.mark.e2e


def connect(proxy: ProxyCommand, backend: Backend) -> str:
    """Make a connection; returns the client's address."""
    with proxy.connect() as client:
        name = "{}:{}".format(*client.getsockname())
        backend.accept().close()
        assert client.recv(1) == b""
    return name


def clients_in(path: Path) -> list[str]:
    return [json.loads(line)["client"] for line in path.read_text().splitlines()]


def place(path: Path) -> dict[str, str]:
    return {"to": f"file:{path}", "format": "json"}


def test_a_reload_moves_the_lines_of_new_connections(
    start_proxy: StartProxy, tmp_path: Path
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    file = RoutesFile(tmp_path / "routes.yaml")
    with Backend() as backend:
        only = route("127.0.0.1:0", backend.address)
        file.write(only, access_log=place(old))
        proxy = file.start(start_proxy)
        before = set(proxy.workers())
        first = connect(proxy, backend)
        wait_until(lambda: clients_in(old), 10, "the first line")
        file.write(only, access_log=place(new))
        assert reload(proxy)["settings_changed"] == ["access_log"]
        wait_until(lambda: not before & set(proxy.workers()), 20, "those of before have ended")
        second = connect(proxy, backend)
        wait_until(lambda: clients_in(new), 10, "the second line")
        files = {str(link.readlink()) for link in Path(f"/proc/{proxy.pid}/fd").iterdir()}
    assert (clients_in(old), clients_in(new)) == ([first], [second])
    assert str(new) in files
    assert str(old) not in files


def test_a_place_that_cannot_be_opened_refuses_the_reload(
    start_proxy: StartProxy, tmp_path: Path
) -> None:
    old, nowhere = tmp_path / "old", tmp_path / "nowhere" / "log"
    file = RoutesFile(tmp_path / "routes.yaml")
    with Backend() as backend:
        only = route("127.0.0.1:0", backend.address)
        file.write(only, access_log=place(old))
        proxy = file.start(start_proxy)
        file.write(only, access_log=place(nowhere))
        assert f"cannot log to file:{nowhere}" in refused(proxy)["reason"]
        client = connect(proxy, backend)
        wait_until(lambda: clients_in(old), 10, "the line")
    assert clients_in(old) == [client]


def test_whoever_has_ordered_such_a_reload_is_answered(
    start_proxy: StartProxy, tmp_path: Path
) -> None:
    admin = Administered(tmp_path / "admin")
    file = RoutesFile(tmp_path / "routes.yaml", {"workers": 1, "admin": f"unix:{admin.path}"})
    with Backend() as backend:
        only = route("127.0.0.1:0", backend.address)
        file.write(only, access_log=place(tmp_path / "old"))
        proxy = file.start(start_proxy)
        admin.wait()
        file.write(only, access_log=place(tmp_path / "new"))
        assert admin.client.post("/api/reload") == {"generation": 2}
        proxy.log.wait("admin_started", 2)  # one that has the new places
        admin.wait()
        assert admin.status()["generation"] == 2
