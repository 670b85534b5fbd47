"""What the start line promises beside many listeners can be had, and too many are refused."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from .load import echo_server
from .proxy_command import Launcher, ProxyCommand
from .test_start_errors import refusal

pytestmark = pytest.mark.e2e

LAUNCHER = Launcher(("prlimit", "--nofile=1024:1024", *Launcher().argv))


def routes_file(path: Path, listeners: int, backend: str) -> str:
    listen = ", ".join(["127.0.0.1:0"] * listeners)
    path.write_text(
        f"workers: 1\nraise_nofile: false\nroutes: [{{listen: [{listen}], backends: '{backend}'}}]"
    )
    return str(path)


def test_the_start_line_is_true(tmp_path: Path) -> None:
    with ExitStack() as stack:
        backend = stack.enter_context(echo_server())
        file = routes_file(tmp_path / "routes.yaml", 300, backend)
        proxy = ProxyCommand("--config", file, launcher=LAUNCHER)
        stack.callback(proxy.finish)
        clients = [
            stack.enter_context(proxy.connect()) for _ in range(proxy.started["max_connections"])
        ]
        for client in clients:
            client.sendall(b"x")
        assert all(client.recv(1) == b"x" for client in clients)
        assert proxy.log.all("accept_paused") == []


def test_listeners_that_leave_no_connection(tmp_path: Path) -> None:
    file = routes_file(tmp_path / "routes.yaml", 1000, "127.0.0.1:9")
    status, line = refusal(("--config", file), LAUNCHER)
    assert status == 3
    assert "the file limit of 1024 leaves no connections beside 1000 listeners" in line
