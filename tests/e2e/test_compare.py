"""Recorded traffic, compared with servers that are the same, and with ones that are not."""

import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.ports import free_port

from .conftest import StartProxy
from .nginx import FILES, nginx_with
from .processes import wait_until
from .servers import serving

pytestmark = pytest.mark.e2e

SPLICEPROXY = str(Path(sys.executable).with_name("spliceproxy"))

SCRIPT = """SET a 1
GET a
INCR a
APPEND text hello
STRLEN text
GETRANGE text 1 3
MSET b 2 c 3
MGET a b c nothing
RPUSH list x y z
LRANGE list 0 -1
LPOP list
HSET hash f 1 g 2
HGET hash f
HINCRBY hash f 5
ZADD board 1 one 2 two
ZRANGE board 0 -1 WITHSCORES
SADD set one
SISMEMBER set one
TYPE hash
EXISTS a b nothing
EXPIRE a 100
DEL b
CONFIG GET maxmemory-policy
ECHO hello
PING
MULTI
INCR c
EXEC
NOSUCHCOMMAND
"""


@contextmanager
def redis(program: str, directory: Path, *options: str) -> Iterator[int]:
    port = free_port()
    directory.mkdir()
    argv = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", *options]
    with serving(argv, port, directory / "log", cwd=directory):
        yield port


@contextmanager
def nginx(program: str, directory: Path, root: Path, version: str) -> Iterator[int]:
    port = free_port()
    directory.mkdir()
    headers = f"add_header X-Request $request_id; add_header X-Version {version};"
    files = FILES.replace("root {root};", "root {root}; " + headers).format(port=port, root=root)
    with nginx_with(program, directory, port, http=files):
        yield port


@contextmanager
def recording(start_proxy: StartProxy, backend: int, capture: Path) -> Iterator[int]:
    """Run a proxy that captures; until the block has ended and the capture is sealed."""
    to = ("--backend", f"127.0.0.1:{backend}", "--mirror", f"capture:{capture}", "--workers", "1")
    proxy = start_proxy(*to)
    yield proxy.port
    wait_until(lambda: bool(proxy.log.all("connection")), 20, "the connection's end")
    proxy.process.send_signal(signal.SIGTERM)
    assert proxy.wait_exit() == 0


def talk(port: int, script: str) -> None:
    """Send all commands, and read all answers; redis-cli would ask for more than the script."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        for line in script.splitlines():
            words = line.encode().split()
            bulks = b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
            client.sendall(b"*%d\r\n" % len(words) + bulks)
        client.shutdown(socket.SHUT_WR)
        while client.recv(4096):
            pass


def compare(*words: object) -> tuple[int, str]:
    done = subprocess.run(
        [SPLICEPROXY, "compare", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def found(report: Path) -> list[tuple[str, str, str, int, int]]:
    wanted = "SELECT request, level, field, counts, raw FROM differences"
    database = sqlite3.connect(report)
    try:
        return list(database.execute(f"{wanted} ORDER BY counts DESC, field"))
    finally:
        database.close()


def test_a_renamed_command_is_all_that_is_found(
    start_proxy: StartProxy, program: Callable[[str], str], tmp_path: Path
) -> None:
    server, capture = program("redis-server"), tmp_path / "capture"
    with ExitStack() as stack:
        recorded = stack.enter_context(redis(server, tmp_path / "recorded"))
        with recording(start_proxy, recorded, capture) as port:
            talk(port, SCRIPT)
        same = stack.enter_context(redis(server, tmp_path / "same"))
        status, told = compare(capture, "--new", f"127.0.0.1:{same}")
        assert (status, told.splitlines()[0]) == (
            0,
            "No difference in 29 answers on 1 connection.",
        )
        renamed = ("--rename-command", "STRLEN", "LENGTH")
        other = stack.enter_context(redis(server, tmp_path / "other", *renamed))
        report, page = tmp_path / "report", tmp_path / "page.html"
        kept = ("--report", report, "--html", page, "--keep", tmp_path / "kept")
        short = ("--answer-timeout", "500ms")
        status, told = compare(capture, "--new", f"127.0.0.1:{other}", *kept, *short)
    assert (status, told.splitlines()[0]) == (1, "1 difference in 29 answers on 1 connection.")
    assert found(report) == [("STRLEN", "field", "value", 1, 1)]
    assert "unknown command" in page.read_text()
    status, _ = compare(capture, "--answers", tmp_path / "kept/new", "--ignore", "re:.*STRLEN.*|:5")
    assert status == 0


def test_random_headers_are_noise_and_a_changed_one_is_not(
    start_proxy: StartProxy, program: Callable[[str], str], tmp_path: Path
) -> None:
    server, capture, report = program("nginx"), tmp_path / "capture", tmp_path / "report"
    root = tmp_path / "root"
    root.mkdir()
    (root / "data.json").write_text('{"items": [1, 2, 3]}')
    request = b"GET /data.json HTTP/1.1\r\nHost: a\r\n\r\n"
    with ExitStack() as stack:
        old = stack.enter_context(nginx(server, tmp_path / "old", root, "1"))
        new = stack.enter_context(nginx(server, tmp_path / "new", root, "2"))
        with (
            recording(start_proxy, old, capture) as port,
            socket.create_connection(("127.0.0.1", port), timeout=20) as client,
        ):
            for _ in range(5):
                client.sendall(request)
                answer = b""
                while not answer.endswith(b"]}"):
                    answer += client.recv(4096)
        time.sleep(1.1)  # so that all dates differ from the recorded ones
        both = ("--new", f"127.0.0.1:{new}", "--old", f"127.0.0.1:{old}")
        status, told = compare(capture, *both, "--report", report)
        assert (status, told.splitlines()[0]) == (1, "1 difference in 5 answers on 1 connection.")
        assert found(report) == [
            ("GET /data.json", "field", "header.x-version", 1, 5),
            ("GET /data.json", "field", "header.date", 0, 5),
            ("GET /data.json", "field", "header.x-request", 0, 5),
        ]
        status, _ = compare(capture, *both, "--ignore", "header.x-version")
        assert status == 0
