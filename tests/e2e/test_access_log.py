"""Log files that are renamed and opened again while connections come and go."""

import json
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from .conftest import StartProxy
from .peers import Backend
from .processes import children, wait_until
from .proxy_command import ProxyCommand

pytestmark = pytest.mark.e2e

CONNECTIONS, CLIENTS, ROTATIONS = 2000, 4, 10


def lines_of(paths: list[Path]) -> list[dict[str, Any]]:
    return [json.loads(line) for path in paths for line in path.read_bytes().splitlines()]


def converse(proxy: ProxyCommand, count: int) -> list[str]:
    """Open and close connections one after the other; returns the clients' addresses."""
    clients = []
    for _ in range(count):
        with proxy.connect() as client:
            clients.append("{}:{}".format(*client.getsockname()))
            assert client.recv(1) == b""
    return clients


def serve(backend: Backend, count: int) -> None:
    for _ in range(count):
        backend.accept().close()


def rotate(proxy: ProxyCommand, log: Path, number: int) -> Path:
    """Rename the log as logrotate does, and wait until all have moved on."""
    renamed = log.rename(f"{log}.{number}")
    proxy.process.send_signal(signal.SIGUSR1)
    wait_until(lambda: not holders(proxy, renamed), 10, "all have left the renamed file")
    return renamed


def holders(proxy: ProxyCommand, path: Path) -> list[int]:
    """Who has a file open."""
    return [pid for pid in (proxy.pid, *children(proxy.pid)) if path in open_files(pid)]


def open_files(pid: int) -> set[Path]:
    files = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            files.add(link.readlink())
    return files


@pytest.mark.slow
def test_no_line_is_lost_or_torn_by_rotations_under_load(
    start_proxy: StartProxy, tmp_path: Path
) -> None:
    log = tmp_path / "access.log"
    with Backend() as backend, ThreadPoolExecutor(CLIENTS + 1) as threads:
        proxy = start_proxy(
            *("--backend", backend.address, "--workers", "2"),
            *("--access-log", f"file:{log}", "--admin", f"unix:{tmp_path}/admin"),
        )
        assert log.stat().st_mode & 0o777 == 0o640
        serving = threads.submit(serve, backend, CONNECTIONS)
        loads = [threads.submit(converse, proxy, CONNECTIONS // CLIENTS) for _ in range(CLIENTS)]
        files = [log, *(rotate(proxy, log, number) for number in range(ROTATIONS))]
        clients = Counter(client for load in loads for client in load.result(50))
        serving.result(10)
        wait_until(lambda: len(lines_of(files)) >= CONNECTIONS, 10, "all lines")
        lines = lines_of(files)
    assert Counter(line["client"] for line in lines) == clients
    assert {line["event"] for line in lines} == {"connection"}
    assert {line["worker"] for line in lines} == {0, 1}
    assert proxy.log.all("connection") == []


def test_a_file_that_cannot_be_opened_again_stays_in_use(
    start_proxy: StartProxy, tmp_path: Path
) -> None:
    log = tmp_path / "access.log"
    with Backend() as backend:
        proxy = start_proxy(
            *("--backend", backend.address, "--workers", "1"), "--access-log", f"file:{log}"
        )
        proxy.expected_errors.add("log_not_reopened")
        renamed = log.rename(tmp_path / "access.log.1")
        log.mkdir()
        proxy.process.send_signal(signal.SIGUSR1)
        errors = proxy.log.wait("log_not_reopened", 1)  # the master opens it for all
        assert {error["file"] for error in errors} == {str(log)}
        with proxy.connect() as client:
            backend.accept().close()
            assert client.recv(1) == b""
        wait_until(lambda: lines_of([renamed]), 10, "the line")
    assert [line["reason"] for line in lines_of([renamed])] == ["closed"]


def test_no_line_of_a_connection_where_none_is_wanted(start_proxy: StartProxy) -> None:
    with Backend() as backend:
        proxy = start_proxy("--backend", backend.address, "--access-log", "none")
        with proxy.connect() as client:
            backend.accept().close()
            assert client.recv(1) == b""
        proxy.process.send_signal(signal.SIGTERM)
        assert proxy.wait_exit() == 0
    assert len(proxy.log.wait("stopped")) == 1
    assert proxy.log.all("connection") == []
