"""SIGHUP: what changes, what stays, and what is said of it."""

import grp
import os
import signal
import socket
import stat
from pathlib import Path

import pytest

from tests.ports import free_port

from .conftest import StartProxy
from .peers import Backend, receive_exactly
from .processes import is_listening, wait_until
from .reloading import RoutesFile, refused, reload, route, wait_for_generation
from .servers import run

pytestmark = pytest.mark.e2e


@pytest.fixture
def routes_file(tmp_path: Path) -> RoutesFile:
    return RoutesFile(tmp_path / "routes.yaml")


def talk(port: int, backend: Backend) -> None:
    """Send a byte through a listener, and one back."""
    address = ("127.0.0.1", port)
    with socket.create_connection(address, timeout=20) as client, backend.accept() as server:
        client.sendall(b"x")
        assert receive_exactly(server, 1) == b"x"
        server.sendall(b"y")
        assert receive_exactly(client, 1) == b"y"


def test_new_connections_follow_the_new_file_and_live_ones_stay(
    start_proxy: StartProxy, routes_file: RoutesFile
) -> None:
    port = free_port()
    with Backend() as old, Backend() as new:
        routes_file.write(route(f"127.0.0.1:{port}", old.address))
        proxy = routes_file.start(start_proxy)
        with proxy.connect() as client, old.accept() as server:
            routes_file.write(route(f"127.0.0.1:{port}", new.address), drain_timeout="20s")
            said = reload(proxy)
            assert said["generation"] == 2
            assert said["routes"] == {
                "added": [],
                "removed": [],
                "changed": ["main"],
                "unchanged": 0,
            }
            assert said["settings_changed"] == ["drain_timeout"]
            assert said["listeners"] == {"added": [], "removed": [], "changed": [], "unchanged": 1}
            for _ in range(10):
                talk(port, new)
            client.sendall(b"z")
            assert receive_exactly(server, 1) == b"z"
        wait_for_generation(proxy, 2)
    lines = proxy.log.wait("connection", 11)
    assert sorted(line["generation"] for line in lines) == [1] + [2] * 10
    assert {line["reason"] for line in lines} == {"closed"}


def test_listeners_come_and_go_and_stay(
    start_proxy: StartProxy, routes_file: RoutesFile, tmp_path: Path
) -> None:
    kept, removed, added = free_port(), free_port(), free_port()
    front = tmp_path / "front"
    with Backend() as backend:
        before = [f"127.0.0.1:{kept}", f"127.0.0.1:{removed}", f"unix:{front}"]
        routes_file.write(route(before, backend.address))
        proxy = routes_file.start(start_proxy)
        routes_file.write(route([f"127.0.0.1:{kept}", f"127.0.0.1:{added}"], backend.address))
        said = reload(proxy)["listeners"]
        assert said == {
            "added": [f"127.0.0.1:{added}"],
            "removed": [f"127.0.0.1:{removed}", f"unix:{front}"],
            "changed": [],
            "unchanged": 1,
        }
        wait_until(lambda: not is_listening(removed), 10, "the removed listener is closed")
        assert not front.exists()
        talk(kept, backend)
        talk(added, backend)
        wait_for_generation(proxy, 2)
        proxy.log.wait("connection", 2)
        proxy.settle()


def test_settings_of_an_open_listener_change(
    start_proxy: StartProxy, routes_file: RoutesFile, tmp_path: Path
) -> None:
    front, port = tmp_path / "front", free_port()
    group = grp.getgrgid(os.getgid()).gr_name
    with Backend() as backend:
        listen = [f"127.0.0.1:{port}", f"unix:{front}"]
        routes_file.write(route(listen, backend.address, backlog=7))
        proxy = routes_file.start(start_proxy)
        assert stat.S_IMODE(front.stat().st_mode) == 0o600
        inode = front.stat().st_ino
        unix = {"address": f"unix:{front}", "mode": "0660", "group": group}
        routes_file.write(route([listen[0], unix], backend.address, backlog=9))
        said = reload(proxy)["listeners"]
        assert said["changed"] == [f"127.0.0.1:{port}", f"unix:{front}"]
        assert (stat.S_IMODE(front.stat().st_mode), front.stat().st_ino) == (0o660, inode)
        assert backlog_of(port) == 9
        talk(port, backend)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(front))
            backend.accept().close()


def backlog_of(port: int) -> int:
    output = run(["ss", "--no-header", "--listening", "--tcp", f"sport = :{port}"])
    return int(output.split()[2])


def test_a_refused_file_changes_nothing(start_proxy: StartProxy, routes_file: RoutesFile) -> None:
    port = free_port()
    with Backend() as backend:
        routes_file.write(route(f"127.0.0.1:{port}", backend.address))
        proxy = routes_file.start(start_proxy)
        workers = proxy.workers()
        routes_file.path.write_text("routes:\n- listen: 80\n  backends: [a]\n  weight: 1\n")
        said = refused(proxy)
        places = [mistake.removeprefix(str(routes_file.path)) for mistake in said["mistakes"]]
        assert [place.split(": ")[0] for place in places] == [":3:14", ":4:3"]
        assert "2 mistakes" in said["reason"]
        routes_file.path.unlink()
        assert "No such file" in refused(proxy)["reason"]
        routes_file.write(route(f"127.0.0.1:{port}", "nowhere.invalid:1"))
        assert "nowhere.invalid" in refused(proxy)["reason"]
        assert proxy.workers() == workers
        talk(port, backend)
        routes_file.write(route(f"127.0.0.1:{port}", backend.address, backlog=9))
        assert reload(proxy)["generation"] == 2


def test_one_listener_that_cannot_open_refuses_the_whole_reload(
    start_proxy: StartProxy, routes_file: RoutesFile, tmp_path: Path
) -> None:
    port, added, front = free_port(), free_port(), tmp_path / "front"
    with Backend() as backend, socket.create_server(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:{1}".format(*taken.getsockname())
        listen = [f"127.0.0.1:{port}", f"unix:{front}"]
        routes_file.write(route(listen, backend.address))
        proxy = routes_file.start(start_proxy)
        workers = proxy.workers()
        changed = {"address": f"unix:{front}", "mode": "0666"}
        routes_file.write(
            route([listen[0], changed, f"127.0.0.1:{added}", address], backend.address)
        )
        said = refused(proxy)
        assert address in said["reason"]
        assert "in use" in said["reason"]
        assert not is_listening(added)
        assert stat.S_IMODE(front.stat().st_mode) == 0o600
        assert proxy.workers() == workers
        talk(port, backend)


def test_a_wider_address_on_an_own_port_is_refused_with_the_way_out(
    start_proxy: StartProxy, routes_file: RoutesFile
) -> None:
    port = free_port()
    with Backend() as backend:
        routes_file.write(route(f"127.0.0.1:{port}", backend.address))
        proxy = routes_file.start(start_proxy)
        routes_file.write(route(f"0.0.0.0:{port}", backend.address))
        assert f"127.0.0.1:{port} is open here" in refused(proxy)["reason"]
        talk(port, backend)


def test_the_number_of_workers_changes(start_proxy: StartProxy, routes_file: RoutesFile) -> None:
    port = free_port()
    with Backend() as backend:
        routes_file.write(route(f"127.0.0.1:{port}", backend.address))
        proxy = routes_file.start(start_proxy)
        for generation, count in enumerate((3, 1), 2):
            routes_file.write(route(f"127.0.0.1:{port}", backend.address), workers=count)
            assert reload(proxy)["settings_changed"] == ["workers"]
            wait_for_generation(proxy, generation)
            assert len(proxy.workers()) == count
            talk(port, backend)
        proxy.log.wait("connection", 2)
        proxy.settle()


def test_the_log_changes_with_the_file(start_proxy: StartProxy, routes_file: RoutesFile) -> None:
    port = free_port()
    with Backend() as backend:
        routes_file.write(route(f"127.0.0.1:{port}", backend.address))
        proxy = start_proxy("--config", str(routes_file.path))
        talk(port, backend)
        proxy.log.wait("connection")
        routes_file.write(
            route(f"127.0.0.1:{port}", backend.address), log={"level": "error", "format": "console"}
        )
        old = set(proxy.workers())
        proxy.process.send_signal(signal.SIGHUP)
        # The command line goes before the file: the format stays. The level does not.
        wait_until(lambda: old.isdisjoint(proxy.workers()), 20, "only new workers")
        before = len(proxy.log.all("connection"))
        talk(port, backend)
        routes_file.path.write_text("")
        refused(proxy)
        assert len(proxy.log.all("connection")) == before


def test_what_a_reload_cannot_change_is_said(
    start_proxy: StartProxy, routes_file: RoutesFile, tmp_path: Path
) -> None:
    listen = f"127.0.0.1:{free_port()}"
    routes_file.write(route(listen, "127.0.0.1:9"))
    proxy = routes_file.start(start_proxy)
    routes_file.write(route(listen, "127.0.0.1:9"), admin=f"unix:{tmp_path}/admin")
    assert reload(proxy)["settings_changed"] == ["admin"]
    assert proxy.log.wait("restart_needed")[0]["settings"] == ["admin"]


def test_unfinished_files_of_a_new_mirror_are_told_those_of_an_old_one_are_not(
    start_proxy: StartProxy, routes_file: RoutesFile, tmp_path: Path
) -> None:
    listen, new = f"127.0.0.1:{free_port()}", tmp_path / "new"
    new.mkdir()
    (new / "crashed.part").touch()
    mirrors = [f"file:{tmp_path}/old"]
    with Backend() as backend:
        routes_file.write(route(listen, backend.address, mirrors=mirrors))
        proxy = routes_file.start(start_proxy)
        with proxy.connect() as client, backend.accept() as server:
            client.sendall(b"x")
            assert receive_exactly(server, 1) == b"x"
            wait_until(lambda: list((tmp_path / "old").glob("*/*.part")), 20, "a file is written")
            routes_file.write(route(listen, backend.address, mirrors=[*mirrors, f"file:{new}"]))
            reload(proxy)
            told = proxy.log.wait("unfinished_files")
            # The old generation writes on, and the third one must not take that for a crash.
            reload(proxy)
            client.sendall(b"y")
            assert receive_exactly(server, 1) == b"y"
        proxy.log.wait("connection")
        [copy] = (tmp_path / "old").glob("*/*-request")
        assert copy.read_bytes() == b"xy"
        wait_for_generation(proxy, 3)
        proxy.settle()
    assert [(line["mirror"], line["files"]) for line in told] == [(f"file:{new}", ["crashed.part"])]
    assert proxy.log.all("unfinished_files") == told


def test_without_a_file_there_is_nothing_to_reload(start_proxy: StartProxy) -> None:
    proxy = start_proxy("--backend", "127.0.0.1:9")
    proxy.process.send_signal(signal.SIGHUP)
    ignored = proxy.log.wait("signal_ignored")[0]
    assert ignored["signal"] == "SIGHUP"
    assert "without --config" in ignored["why"]
