"""Listening sockets that somebody else has opened: a parent process, or systemd."""

import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.ports import free_port

from .conftest import StartProxy
from .peers import Backend, receive_exactly
from .processes import is_listening, wait_until
from .proxy_command import Launcher
from .reloading import RoutesFile, refused, reload, route, wait_for_generation

pytestmark = pytest.mark.e2e

OPEN_AT_7 = """
import os, socket, sys
sock = socket.create_server(("127.0.0.1", 0))
os.dup2(sock.fileno(), 7)
os.execv(sys.argv[1], sys.argv[1:])
"""
NOT_OPEN = "import os, sys; os.execv(sys.argv[1], sys.argv[1:])"
NOT_LISTENING_AT_7 = OPEN_AT_7.replace('create_server(("127.0.0.1", 0))', "socket()")


def opened_by(parent: str) -> Launcher:
    """Start the command by a program that opens sockets for it."""
    launcher = Launcher()
    return replace(launcher, argv=(sys.executable, "-c", parent, *launcher.argv))


def activated(activate: str, *sockets: str, names: str) -> Launcher:
    """Start the command by systemd-socket-activate, when the first client comes."""
    launcher = Launcher()
    argv = [activate, *(f"--listen={socket}" for socket in sockets), f"--fdname={names}"]
    return replace(launcher, argv=(*argv, "--setenv=PATH", *launcher.argv))


def exchange(address: tuple[str, int], backend: Backend) -> None:
    with socket.create_connection(address, timeout=20) as client, backend.accept() as server:
        client.sendall(b"x")
        assert receive_exactly(server, 1) == b"x"


def test_a_descriptor_of_the_parent(start_proxy: StartProxy) -> None:
    with Backend() as backend:
        launcher = opened_by(OPEN_AT_7)
        proxy = start_proxy("--listen", "fd:7", "--backend", backend.address, launcher=launcher)
        exchange(("127.0.0.1", proxy.port), backend)


@pytest.mark.parametrize("parent", [NOT_OPEN, NOT_LISTENING_AT_7], ids=["closed", "unbound"])
def test_a_descriptor_that_cannot_be_listened_on(parent: str) -> None:
    arguments = ("--listen", "fd:7", "--backend", "127.0.0.1:9")
    process = opened_by(parent).popen(*arguments, stderr=subprocess.PIPE)
    output, error = process.communicate(timeout=20)
    assert (process.returncode, output) == (3, b"")
    [line] = error.decode().splitlines()
    assert "fd:7 (it was no listening stream socket at the start)" in line


def test_systemd_without_sockets() -> None:
    arguments = ("--listen", "systemd", "--backend", "127.0.0.1:9")
    process = Launcher().popen(*arguments, stderr=subprocess.PIPE)
    _, error = process.communicate(timeout=20)
    assert process.returncode == 3
    assert b"systemd has passed none" in error


def test_sockets_by_their_names(program: Callable[[str], str], tmp_path: Path) -> None:
    web, front = free_port(), tmp_path / "front"
    sockets = (f"127.0.0.1:{web}", str(front))
    launcher = activated(program("systemd-socket-activate"), *sockets, names="web:local")
    with Backend() as one, Backend() as other:
        routes = [
            {"name": "web", "listen": "systemd:web", "backends": [one.address]},
            {"name": "local", "listen": ["systemd:local"], "backends": [other.address]},
        ]
        path = tmp_path / "routes.yaml"
        path.write_text(yaml.safe_dump({"workers": 2, "routes": routes}))
        process = launcher.popen("-c", str(path), stderr=subprocess.PIPE)
        try:
            wait_until(lambda: is_listening(web), 20, "the activator listens")
            exchange(("127.0.0.1", web), one)  # the client that activates it is served, too
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(front))
                other.accept().close()
        finally:
            process.send_signal(signal.SIGTERM)
            output, error = process.communicate(timeout=20)
        assert process.returncode == 0, (output.decode(), error.decode())
        assert front.exists()  # whoever has opened it removes it


def test_a_name_that_systemd_has_not_passed(program: Callable[[str], str]) -> None:
    port = free_port()
    launcher = activated(program("systemd-socket-activate"), f"127.0.0.1:{port}", names="web")
    arguments = ("--listen", "systemd:wab", "--backend", "127.0.0.1:9")
    process = launcher.popen(*arguments, stderr=subprocess.PIPE)
    wait_until(lambda: is_listening(port), 20, "the activator listens")
    with socket.create_connection(("127.0.0.1", port), timeout=20):
        _, error = process.communicate(timeout=20)
    assert process.returncode == 3
    assert b"systemd:wab (systemd has passed 'web')" in error


def test_a_reload_gives_a_descriptor_up_for_good(start_proxy: StartProxy, tmp_path: Path) -> None:
    routes_file, port = RoutesFile(tmp_path / "routes.yaml"), free_port()
    other = f"127.0.0.1:{port}"
    with Backend() as backend:
        routes_file.write(route(["fd:7", other], backend.address))
        arguments = ("--config", str(routes_file.path))
        proxy = start_proxy(*arguments, launcher=opened_by(OPEN_AT_7))
        inherited = ("127.0.0.1", proxy.port)
        # A reload that is refused leaves it open, and one that keeps it as well.
        routes_file.write(route(["fd:7", "192.0.2.1:1"], backend.address))
        refused(proxy)
        exchange(inherited, backend)
        routes_file.write(route(["fd:7", other], backend.address, backlog=5))
        assert len(reload(proxy)["listeners"]["changed"]) == 2
        exchange(inherited, backend)
        routes_file.write(route(other, backend.address))
        assert len(reload(proxy)["listeners"]["removed"]) == 1
        wait_for_generation(proxy, 3)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(inherited, timeout=20)
        routes_file.write(route(["fd:7", other], backend.address))
        assert "fd:7" in refused(proxy)["reason"]
        exchange(("127.0.0.1", port), backend)
        proxy.log.wait("connection", 3)
        proxy.settle()
