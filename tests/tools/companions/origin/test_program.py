"""The server as a process: its counts, its file limit, and its threads."""

import http.client
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.descriptors import open_descriptors
from tests.tools.companions.programs import REPOSITORY, TIMEOUT_S, finish

from .conftest import TEXT

FILES = 400
FILE_LIMIT = 256


@dataclass(frozen=True)
class Running:
    """A server that has said where it listens."""

    process: subprocess.Popen[bytes]
    port: int

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)

    def get(self, target: str) -> bytes:
        """Ask over a connection of its own; anything but a 200 fails the test."""
        connection = self.connect()
        try:
            connection.request("GET", target)
            response = connection.getresponse()
            assert response.status == 200, response.reason
            return response.read()
        finally:
            connection.close()

    def stop(self) -> str:
        """End it; what it has said on standard error and nobody has read."""
        assert self.process.stderr is not None
        self.process.send_signal(signal.SIGTERM)
        said = self.process.stderr.read().decode()
        finish(self.process)
        return said


@contextmanager
def running(root: Path, *options: str, file_limit: int | None = None) -> Iterator[Running]:
    argv = [sys.executable, "-m", "tools.companions.origin", "--root", str(root), *options]
    if file_limit is not None:
        argv = ["prlimit", f"--nofile={file_limit}:{file_limit}", *argv]
    process = subprocess.Popen(
        [*argv, "--access-log", "off"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=REPOSITORY,
    )
    with process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline().decode().rstrip("/\n").rpartition(":")[2])
            yield Running(process, port)
        finally:
            process.kill()


def metrics(text: bytes) -> dict[str, float]:
    """Return the numbers by name."""
    families = text_string_to_metric_families(text.decode())
    return {sample.name: sample.value for family in families for sample in family.samples}


@pytest.mark.parametrize("workers", ["1", "3"])
def test_counts_at_a_signal_in_metrics_and_at_the_end(root: Path, workers: str) -> None:
    with running(root, "--workers", workers) as server:
        assert server.process.stderr is not None
        for _request in range(5):
            assert server.get("/text.txt") == TEXT
        told = metrics(server.get("/-/metrics"))
        # One worker may look before another has counted an answer that has arrived.
        fewest = 5 if workers == "1" else 1
        assert fewest <= told["origin_requests_total"] <= 5
        assert told["origin_sent_bytes_total"] > fewest * len(TEXT)
        server.process.send_signal(signal.SIGUSR1)
        line = server.process.stderr.readline().decode()
        assert re.match(r"origin: [1-6] connections, [1-6] requests, \d+ bytes sent\b", line)
        assert server.get("/text.txt") == TEXT
        assert server.stop().startswith("origin: 7 connections, 7 requests, ")
    assert server.process.returncode == 0


@pytest.mark.parametrize("method", ["auto", "mmap", "vmsplice"])
def test_more_files_and_clients_than_descriptors(tmp_path: Path, method: str) -> None:
    for number in range(FILES):
        (tmp_path / f"{number}").write_text(f"file {number}")
    with running(tmp_path, "--method", method, file_limit=FILE_LIMIT) as server, ExitStack() as end:
        for number in range(FILES):
            assert server.get(f"/{number}") == b"file %d" % number
        waiting = []
        for number in range(FILES):
            connection = server.connect()
            end.callback(connection.close)
            connection.request("GET", f"/{number}", headers={"Connection": "close"})
            waiting.append(connection)
        for number, connection in enumerate(waiting):
            response = connection.getresponse()
            assert (response.status, response.read()) == (200, b"file %d" % number)
        said = server.stop()
    assert f"a file limit of {FILE_LIMIT} is enough for" in said
    assert "Too many open files" not in said


def wait_until_it_rests(pid: int) -> None:
    """Wait until it has used up what it has of descriptors, and all who ask have been heard."""
    deadline_s, counts = time.monotonic() + TIMEOUT_S, [0]
    while counts[-1] < FILE_LIMIT * 4 // 5 or len(set(counts[-5:])) > 1:
        assert time.monotonic() < deadline_s, counts
        counts.append(len(open_descriptors(pid)))
        time.sleep(0.1)


def test_slow_downloads_beyond_the_descriptors_wait(tmp_path: Path) -> None:
    """Each holds a socket and a file; none is refused for want of the second one."""
    with (tmp_path / "file").open("wb") as file:
        file.truncate(64 << 20)  # more than any send buffer
    with running(tmp_path, file_limit=FILE_LIMIT) as server, ExitStack() as end:
        clients = []
        for _client in range(FILE_LIMIT * 2 // 3):
            client = end.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(TIMEOUT_S)
            client.connect(("127.0.0.1", server.port))
            client.sendall(b"GET /file HTTP/1.1\r\nHost: x\r\n\r\n")
            clients.append(client)
        wait_until_it_rests(server.process.pid)
        for client in clients:
            assert client.recv(12) == b"HTTP/1.1 200"
            client.close()
        assert "Too many open files" not in server.stop()


def test_a_soft_limit_is_lifted(root: Path) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert hard > FILE_LIMIT
    argv = ["prlimit", f"--nofile={FILE_LIMIT}:{hard}", sys.executable, "-m"]
    argv += ["tools.companions.origin", "--root", str(root), "--max-connections", "200"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=REPOSITORY) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        process.send_signal(signal.SIGTERM)
    assert re.search(rf"Max open files\s+{hard}\s", limits)


def test_small_files_are_cached_and_those_of_other_methods_not(root: Path) -> None:
    os.utime(root / "text.txt", (0, 0))
    for method, expected in (("auto", 2), ("sendfile", 0)):
        with running(root, "--method", method) as server:
            connection = server.connect()
            for _request in range(3):
                connection.request("GET", "/text.txt")
                assert connection.getresponse().read() == TEXT
            connection.close()
            assert metrics(server.get("/-/metrics"))["origin_cached_answers_total"] == expected


@pytest.mark.parametrize("options", [(), ("--threads", "0")])
def test_large_files_past_the_page_cache(tmp_path: Path, options: tuple[str, ...]) -> None:
    large = os.urandom((1 << 20) + 11)
    (tmp_path / "large").write_bytes(large)
    (tmp_path / "small").write_bytes(large[:1000])
    with running(tmp_path, "--directio", "1MiB", *options) as server:
        assert server.get("/large") == large
        assert server.get("/small") == large[:1000]
        told = metrics(server.get("/-/metrics"))
    names = ("origin_direct_files_total", "origin_direct_refusals_total")
    assert sum(told[name] for name in names) == 1


def test_a_file_system_without_direct_reads(tmp_path: Path) -> None:
    notes = Path("/sys/kernel/notes")  # kernfs has none, and tells the size of this one
    if not notes.exists() or notes.stat().st_size != len(notes.read_bytes()):
        pytest.skip("this kernel shows no notes")
    (tmp_path / "notes").symlink_to(notes)
    options = ("--directio", "1", "--method", "readwrite", "--follow")
    with running(tmp_path, *options) as server:
        for _request in range(3):
            assert server.get("/notes") == notes.read_bytes()
        assert metrics(server.get("/-/metrics"))["origin_direct_refusals_total"] == 3
        said = server.stop()
    assert said.count("refuses O_DIRECT") == 1


def test_advice_is_taken(tmp_path: Path) -> None:
    data = os.urandom(100_000)
    (tmp_path / "file").write_bytes(data)
    advice = [
        word for name in ("sequential", "willneed", "dontneed") for word in ("--advise", name)
    ]
    with running(tmp_path, *advice) as server:
        assert server.get("/file") == data


def test_a_signal_before_it_listens_ends_nothing(root: Path) -> None:
    with running(root) as server:
        for _signal in range(20):
            server.process.send_signal(signal.SIGUSR1)
            time.sleep(0.001)
        assert server.get("/text.txt") == TEXT
