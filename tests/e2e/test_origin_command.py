"""The origin's command: workers, signals, and what it refuses to start with."""

import http.client
import json
import os
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from .origin_server import COMMAND, REPOSITORY, OriginServer, origin_server
from .processes import children, is_alive, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TIMEOUT_S = 20


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "a").write_bytes(b"abc")
    return tmp_path


def fetch(server: OriginServer, target: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", target, headers={"Connection": "close"})
        return connection.getresponse().read()
    finally:
        connection.close()


def workers_of(server: OriginServer, count: int) -> list[int]:
    """The first line comes before they are forked."""
    pid = server.process.pid
    wait_until(lambda: len(children(pid)) == count, TIMEOUT_S, f"{count} workers")
    return children(pid)


def test_all_workers_serve(root: Path) -> None:
    options = ("--workers", "2", "--max-connections", "1")
    with origin_server(root, *options) as server, ExitStack() as stack:
        workers = workers_of(server, 2)
        seen = set()
        for _connection in range(2):  # both stay open: one worker cannot have them both
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_S)
            stack.callback(connection.close)
            connection.request("GET", "/-/statistics")
            seen.add(json.loads(connection.getresponse().read())["worker_pid"])
        assert seen == set(workers)
    assert not any(map(is_alive, workers))


def test_a_worker_that_dies_ends_the_server(root: Path) -> None:
    with origin_server(root, "--workers", "3", status=70) as server:
        workers = workers_of(server, 3)
        os.kill(workers[0], signal.SIGKILL)
        wait_until(lambda: server.process.poll() is not None, TIMEOUT_S, "the end of the master")
    assert not any(map(is_alive, workers))


def test_workers_end_with_their_master(root: Path) -> None:
    with origin_server(root, "--workers", "2", status=-signal.SIGKILL) as server:
        workers = workers_of(server, 2)
        fetch(server, "/a")
        server.process.kill()
        wait_until(lambda: not any(map(is_alive, workers)), TIMEOUT_S, "the end of the workers")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_signals_end_it_well(root: Path, number: signal.Signals, workers: str) -> None:
    with origin_server(root, "--workers", workers) as server:
        assert fetch(server, "/a") == b"abc"
        server.process.send_signal(number)
        assert server.process.wait(TIMEOUT_S) == 0


def test_access_log_in_a_file(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    log = tmp_path_factory.mktemp("log") / "access.log"
    with origin_server(root, "--access-log", str(log)) as server:
        fetch(server, "/a")
    assert '"GET /a HTTP/1.1" 200 ' in log.read_text()


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--listen", "203.0.113.1:0"], 3, "cannot listen on 203.0.113.1:0"),
        (["--listen", "unix:/x"], 2, "is a unix socket"),
        (["--access-log", "/nowhere/log"], 3, "cannot be opened"),
        (["--preload", "."], 2, "--method mmap"),
        (["--method", "mmap", "--preload", "/"], 3, "no directory in"),
        (["--method", "magic"], 2, "--method"),
        (["--max-header", "0"], 2, "too small"),
        (["--idle-timeout", "5"], 2, "has no unit"),
    ],
)
def test_what_cannot_start(root: Path, options: list[str], status: int, words: str) -> None:
    done = subprocess.run(
        [*COMMAND, "--root", str(root), *options],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (status, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
