"""HAProxy's statistics socket beside a real HAProxy, and in the hands of HAProxy's own tools."""

import re
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.ports import free_port

from .conftest import StartProxy
from .peers import Backend
from .processes import wait_until
from .proxy_command import ProxyCommand
from .terminal import Terminal

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

HAPROXY = """\
global
  stats socket {directory}/haproxy.sock mode 600 level admin
defaults
  mode tcp
  timeout connect 1s
  timeout client 60s
  timeout server 60s
listen web
  bind 127.0.0.1:{port}
  balance leastconn
  server first 127.0.0.1:{first} weight 2
  server spare 127.0.0.1:{spare} backup
"""
ROUTES = """\
workers: 1
stats_socket: unix:{directory}/stats.sock
routes:
  - name: web
    listen: 127.0.0.1:0
    balance: least_connections
    backends:
      - {{address: "127.0.0.1:{first}", weight: 2}}
      - {{address: "127.0.0.1:{spare}", backup: true}}
"""


def ask(path: Path, command: str) -> str:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(path))
        client.sendall(f"{command}\n".encode())
        answer = b""
        while data := client.recv(65536):
            answer += data
    return answer.decode()


def table(answer: str) -> tuple[list[str], dict[str, dict[str, str]]]:
    """Return the columns, and the rows by their services."""
    header, *lines = answer.rstrip("\n").split("\n")
    columns = header.removeprefix("# ").split(",")
    rows = [dict(zip(columns, line.split(","), strict=True)) for line in lines]
    return columns, {row["svname"]: row for row in rows}


@pytest.fixture
def backend() -> Iterator[Backend]:
    with Backend() as backend:
        yield backend


@pytest.fixture
def proxy(start_proxy: StartProxy, backend: Backend, tmp_path: Path) -> ProxyCommand:
    file = tmp_path / "routes.yaml"
    first = backend.address.rpartition(":")[2]
    file.write_text(ROUTES.format(directory=tmp_path, first=first, spare=free_port()))
    return start_proxy("--config", str(file))


@contextmanager
def haproxy(program: str, directory: Path) -> Iterator[Path]:
    file = directory / "haproxy.cfg"
    ports = {name: free_port() for name in ("port", "first", "spare")}
    file.write_text(HAPROXY.format(directory=directory, **ports))
    path = directory / "haproxy.sock"
    with subprocess.Popen([program, "-f", file], stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(path.exists, 10, "HAProxy's socket")
            yield path
        finally:
            process.terminate()


def test_the_table_has_the_shape_of_haproxys(
    proxy: ProxyCommand, program: Callable[[str], str], tmp_path: Path
) -> None:
    ours, our_rows = table(ask(tmp_path / "stats.sock", "show stat"))
    with haproxy(program("haproxy"), tmp_path) as path:
        theirs, their_rows = table(ask(path, "show stat"))
    # What follows there are columns of modules: TLS, HTTP/2 and so on.
    assert theirs[: len(ours) - 1] == ours[:-1]
    assert (ours[-1], theirs[-1]) == ("", "")
    assert len(our_rows) == len(their_rows)
    for our_row, their_row in zip(our_rows.values(), their_rows.values(), strict=True):
        for column in ("pxname", "type", "pid", "iid", "sid", "mode", "weight", "act", "bck"):
            assert our_row[column] == their_row[column], column
        for column in filter(None, ours):
            if our_row[column].isdecimal() and their_row[column]:
                assert their_row[column].lstrip("-").isdecimal(), column
    assert our_rows["FRONTEND"]["status"] == their_rows["FRONTEND"]["status"] == "OPEN"
    assert our_rows["BACKEND"]["algo"] == their_rows["BACKEND"]["algo"]


def test_the_process_is_told_in_haproxys_words(
    proxy: ProxyCommand, program: Callable[[str], str], tmp_path: Path
) -> None:
    ours = ask(tmp_path / "stats.sock", "show info")
    with haproxy(program("haproxy"), tmp_path) as path:
        theirs = ask(path, "show info")

    def names(answer: str) -> set[str]:
        return {line.partition(": ")[0] for line in answer.splitlines() if line}

    # HAProxy 2.6 misspells this one; later ones do not.
    assert names(ours) - {"TotalSplicedBytesOut"} <= names(theirs)
    assert re.search(r"^Uptime: \d+d \d+h\d\dm\d\ds$", ours, re.MULTILINE)
    assert f"Pid: {proxy.pid}\n" in ours


def test_connections_are_counted_listed_and_shut_down(
    proxy: ProxyCommand, backend: Backend, tmp_path: Path
) -> None:
    path = tmp_path / "stats.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with proxy.connect() as client, backend.accept() as server:
        client.sendall(b"hello")
        assert server.recv(10) == b"hello"
        line = next(line for line in ask(path, "show sess").splitlines() if line)
        name = "{}:{}".format(*client.getsockname())
        assert f"proto=tcpv4 src={name} fe=web be=web srv={backend.address} " in line
        wait_until(
            lambda: table(ask(path, "show stat"))[1][backend.address]["scur"] == "1",
            10,
            "the connection in the table",
        )
        assert ask(path, f"shutdown session {line.partition(':')[0]}") == "\n"
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert proxy.log.wait("connection")[0]["reason"] == "closed_by_operator"
    wait_until(
        lambda: table(ask(path, "show stat"))[1][backend.address]["bin"] == "5", 10, "the bytes"
    )
    assert ask(path, "shutdown session 0x63") == "No such session (use 'show sess').\n\n"


def test_hatop_shows_routes_and_backends(
    proxy: ProxyCommand, backend: Backend, program: Callable[[str], str], tmp_path: Path
) -> None:
    command = (program("hatop"), "-s", str(tmp_path / "stats.sock"))
    with Terminal(*command) as hatop, proxy.connect(), backend.accept():
        hatop.wait("spliceproxy", ">>> web", "FRONTEND", backend.address, "BACKEND")
        hatop.press("\x1b5")  # its command line
        hatop.wait("> ")
        hatop.press("show sess\r")
        hatop.wait(f"srv={backend.address}")


def test_a_backend_is_drained_weighed_and_taken_out_of_use(
    proxy: ProxyCommand, backend: Backend, tmp_path: Path
) -> None:
    path = tmp_path / "stats.sock"

    def row() -> dict[str, str]:
        return table(ask(path, "show stat"))[1][backend.address]

    server = f"web/{backend.address}"
    assert ask(path, f"set server {server} weight 7") == "\n"
    assert row()["weight"] == "7"
    assert ask(path, f"set server {server} weight 100%") == "\n"
    assert row()["weight"] == "2"
    for state, status in (("drain", "DRAIN"), ("maint", "MAINT"), ("ready", "UP")):
        assert ask(path, f"set server {server} state {state}") == "\n"
        assert row()["status"] == status

    def is_reached() -> bool:
        with proxy.connect():
            try:
                backend.accept(timeout_s=1).close()
            except TimeoutError:
                return False
            return True

    wait_until(is_reached, 20, "the worker, which looks now and then, has seen the last order")
    orders = proxy.log.wait("admin_order", count=5)
    assert {line["path"] for line in orders} == {"stats_socket"}
