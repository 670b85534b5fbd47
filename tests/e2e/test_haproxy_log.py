"""The lines of `haproxy-tcp` beside those of a real HAProxy for the same connections."""

import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from tests.ports import free_port

from .conftest import StartProxy
from .peers import Backend, receive_exactly, reset
from .processes import wait_until
from .servers import serving

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CONFIG = """
global
    log stdout format raw local0
defaults
    mode tcp
    log global
    option tcplog
    timeout connect 1s
    timeout client {idle_ms}ms
    timeout server 5s
    retries 0
frontend web
    bind 127.0.0.1:{port}
    default_backend web
backend web
    server one {backend}
"""

LINE = re.compile(
    r"(?P<client>\S+):(?P<port>\d+) \[(?P<accepted>[^]]+)\] (?P<frontend>\S+) "
    r"(?P<backend>[^/ ]+)/(?P<server>\S+) (?P<queue>-?\d+)/(?P<connect>-?\d+)/(?P<total>\d+) "
    r"(?P<bytes>\d+) (?P<state>\S\S) (?P<open>\d+/\d+/\d+/\d+)/(?P<retries>\d+) "
    r"(?P<queues>\d+/\d+)"
)
IDLE_MS = 500
NAMES = {"frontend", "backend", "server"}  # those of the two configurations
TIMES = {"queue", "connect", "total", "accepted"}

Ends = tuple[socket.socket, socket.socket]


def orderly(client: socket.socket, backend: socket.socket) -> None:
    client.shutdown(socket.SHUT_WR)
    assert backend.recv(1) == b""
    backend.close()
    assert client.recv(1) == b""


def client_resets(client: socket.socket, backend: socket.socket) -> None:
    reset(client)
    client.close()


def backend_resets(client: socket.socket, backend: socket.socket) -> None:
    reset(backend)
    backend.close()


def silence(client: socket.socket, backend: socket.socket) -> None:
    time.sleep(2 * IDLE_MS / 1000)  # so long HAProxy needs in any case


ENDS = {"--": orderly, "CD": client_resets, "SD": backend_resets, "cD": silence}


@contextmanager
def connection(port: int, backend: Backend) -> Iterator[Ends]:
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    with client, backend.accept() as server:
        client.sendall(b"question")
        assert receive_exactly(server, 8) == b"question"
        server.sendall(b"the answer")
        assert receive_exactly(client, 10) == b"the answer"
        yield client, server


def parsed(log: Path) -> list[dict[str, str]]:
    matches = map(LINE.fullmatch, log.read_text().splitlines())
    return [match.groupdict() for match in matches if match is not None]


def line_of(log: Path, port: int, backend: Backend, state: str) -> dict[str, str]:
    """Make a connection that ends in a way; returns the line that the log gets for it."""
    before = len(parsed(log))
    with connection(port, backend) as ends:
        client_port = ends[0].getsockname()[1]
        ENDS[state](*ends)
        wait_until(lambda: len(parsed(log)) > before, 10, "a line that can be read")
    line = parsed(log)[before]
    assert int(line.pop("port")) == client_port
    return line


def test_every_field_is_as_haproxy_has_it(
    start_proxy: StartProxy, program: Callable[[str], str], tmp_path: Path
) -> None:
    ours, theirs, config = tmp_path / "ours", tmp_path / "theirs", tmp_path / "haproxy.cfg"
    port = free_port()
    with Backend() as backend:
        config.write_text(CONFIG.format(port=port, backend=backend.address, idle_ms=IDLE_MS))
        proxy = start_proxy(
            *("--backend", backend.address, "--workers", "1", "--idle-timeout", f"{IDLE_MS}ms"),
            *("--access-log", f"file:{ours}", "--access-log-format", "haproxy-tcp"),
        )
        with serving([program("haproxy"), "-db", "-f", str(config)], port, theirs):
            for state in ENDS:
                own = line_of(ours, proxy.port, backend, state)
                model = line_of(theirs, port, backend, state)
                same = own.keys() - NAMES - TIMES
                assert {key: own[key] for key in same} == {key: model[key] for key in same}
                assert own["state"] == state
                check_times(own, model)
    assert (own["frontend"], own["backend"], own["server"]) == (
        "default",
        "default",
        backend.address,
    )


def check_times(own: dict[str, str], model: dict[str, str]) -> None:
    """Both have the same clock, and name the accept of connections that were made in turn."""
    accepted = [time.strptime(line["accepted"][:-4], "%d/%b/%Y:%H:%M:%S") for line in (own, model)]
    assert 0 <= time.mktime(accepted[1]) - time.mktime(accepted[0]) <= 30
    assert re.fullmatch(r".*:\d\d\.\d{3}", own["accepted"])
    for name in ("queue", "connect"):
        assert int(own[name]) <= int(own["total"])


def turned_away(port: int) -> None:
    """Connect; the end may come before connect(2) has returned."""
    with (
        suppress(ConnectionResetError),
        socket.create_connection(("127.0.0.1", port), timeout=20) as client,
    ):
        assert client.recv(1) == b""


def test_a_backend_that_refuses(
    start_proxy: StartProxy, program: Callable[[str], str], tmp_path: Path
) -> None:
    ours, theirs, config = tmp_path / "ours", tmp_path / "theirs", tmp_path / "haproxy.cfg"
    port, refusing = free_port(), f"127.0.0.1:{free_port()}"
    config.write_text(CONFIG.format(port=port, backend=refusing, idle_ms=5000))
    proxy = start_proxy(
        *("--backend", refusing, "--workers", "1"),
        *("--access-log", f"file:{ours}", "--access-log-format", "haproxy-tcp"),
    )
    with serving([program("haproxy"), "-db", "-f", str(config)], port, theirs):
        for at, log in ((proxy.port, ours), (port, theirs)):
            turned_away(at)
            wait_until(partial(parsed, log), 10, "a line")
    [own], [model] = parsed(ours), parsed(theirs)
    for line in (own, model):
        assert (line["state"], line["connect"], line["bytes"]) == ("SC", "-1", "0")
    assert own["open"].split("/")[:2] == model["open"].split("/")[:2]
