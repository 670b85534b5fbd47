"""A shadow's recorded answers, compared with what clients were answered: later, or as they come."""

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from .conftest import StartProxy
from .processes import wait_until
from .proxy_command import ProxyCommand
from .terminal import Terminal
from .test_compare import SCRIPT, SPLICEPROXY, compare, found, redis, talk

pytestmark = pytest.mark.e2e

RENAMED = ("--rename-command", "STRLEN", "LENGTH")


@pytest.fixture
def servers(program: Callable[[str], str], tmp_path: Path) -> Iterator[tuple[int, int]]:
    """A redis, and another one whose STRLEN has another name."""
    server = program("redis-server")
    with ExitStack() as stack:
        yield (
            stack.enter_context(redis(server, tmp_path / "backend")),
            stack.enter_context(redis(server, tmp_path / "shadow", *RENAMED)),
        )


def shadowing(
    start_proxy: StartProxy, servers: tuple[int, int], capture: Path, *options: str
) -> ProxyCommand:
    backend, shadow = servers
    mirrors = (f"capture:{capture}", f"tcp://127.0.0.1:{shadow}?answers=capture:{capture}")
    words = [word for mirror in mirrors for word in ("--mirror", mirror)]
    return start_proxy("--backend", f"127.0.0.1:{backend}", *words, *options)


def end(proxy: ProxyCommand, connections: int) -> None:
    """Wait for the connections' ends, and for the capture to be sealed."""
    proxy.log.wait("connection", connections)
    proxy.process.send_signal(signal.SIGTERM)
    assert proxy.wait_exit() == 0


@contextmanager
def following(capture: Path, *words: object) -> Iterator[subprocess.Popen[str]]:
    """Run `compare --follow` until it is stopped within the block."""
    process = subprocess.Popen(
        [SPLICEPROXY, "compare", "--follow", str(capture), *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("following ")
        yield process
    finally:
        process.kill()
        process.communicate()


def interrupt(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=30)
    return process.returncode, out, errors


def test_a_renamed_command_is_all_that_is_found(
    start_proxy: StartProxy, servers: tuple[int, int], tmp_path: Path
) -> None:
    capture, report, page = tmp_path / "capture", tmp_path / "report", tmp_path / "page.html"
    proxy = shadowing(start_proxy, servers, capture, "--workers", "1")
    talk(proxy.port, SCRIPT)
    end(proxy, 1)
    status, told = compare(capture, "--live", "--report", report, "--html", page)
    assert (status, told.splitlines()[0]) == (1, "1 difference in 29 answers on 1 connection.")
    assert found(report) == [("STRLEN", "field", "value", 1, 1)]
    assert "unknown command" in page.read_text()
    status, told = compare(capture, "--live", "--ignore", "re:.*STRLEN.*|:5")
    assert (status, told.splitlines()[0]) == (0, "No difference in 29 answers on 1 connection.")
    # A replay of the same capture has the client's connection alone.
    status, told = compare(capture, "--new", f"127.0.0.1:{servers[1]}", "--answer-timeout", "1s")
    assert "on 1 connection." in told.splitlines()[0]


def test_it_is_found_while_it_goes_on(
    start_proxy: StartProxy, servers: tuple[int, int], tmp_path: Path
) -> None:
    capture, report, page = tmp_path / "capture", tmp_path / "report", tmp_path / "page.html"
    proxy = shadowing(start_proxy, servers, capture)
    with following(capture, "--report", report, "--html", page) as process:
        for _ in range(20):
            talk(proxy.port, SCRIPT.replace("INCR a", "GET a"))
        end(proxy, 20)
        status, told, errors = interrupt(process)
    assert errors == ""
    # What is random within one server, or shared by connections, may differ, too.
    assert status == 1
    assert told.splitlines()[0].endswith("in 580 answers on 20 connections.")
    assert ("STRLEN", "field", "value", 1, 20) in found(report)
    assert "STRLEN" in page.read_text()


def test_a_terminal_shows_what_has_been_found_so_far(
    start_proxy: StartProxy, servers: tuple[int, int], tmp_path: Path
) -> None:
    capture = tmp_path / "capture"
    proxy = shadowing(start_proxy, servers, capture)
    with Terminal(SPLICEPROXY, "compare", "--follow", str(capture)) as terminal:
        terminal.wait("following ")
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as client:
            for _ in range(2):
                client.sendall(b"*2\r\n$6\r\nSTRLEN\r\n$1\r\na\r\n")
                assert client.recv(100) == b":0\r\n"
            terminal.wait("1 difference in ", " on 1 connection.", "1 connection under way")
        terminal.wait("1 difference in 2 answers on 1 connection.")
        terminal.press("\x03")
        assert terminal.wait_exit() == 1
    end(proxy, 1)
    assert "1 difference in 2 answers on 1 connection." in terminal.drawn


def test_no_answers_are_a_mistake(
    start_proxy: StartProxy, servers: tuple[int, int], tmp_path: Path
) -> None:
    capture = tmp_path / "capture"
    proxy = start_proxy("--backend", f"127.0.0.1:{servers[0]}", "--mirror", f"capture:{capture}")
    with following(capture) as process:
        talk(proxy.port, "PING\n")
        end(proxy, 1)
        status, _, errors = interrupt(process)
    assert (status, "nothing to compare has come" in errors) == (2, True)


def test_what_a_killed_worker_leaves_is_compared(
    start_proxy: StartProxy, servers: tuple[int, int], tmp_path: Path
) -> None:
    capture, report = tmp_path / "capture", tmp_path / "report"
    proxy = shadowing(start_proxy, servers, capture, "--workers", "1")
    with following(capture, "--report", report) as process:
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as client:
            talk(proxy.port, "STRLEN a\nPING\n")
            proxy.log.wait("connection", 1)
            for _ in range(3):
                client.sendall(b"*2\r\n$6\r\nSTRLEN\r\n$1\r\na\r\n")
                assert client.recv(100) == b":0\r\n"
            segment = next(capture.glob("*.open"))
            wait_until(lambda: segment.read_bytes().count(b"unknown command") == 4, 20, "answers")
            (worker,) = proxy.workers()
            proxy.expected_errors.add("worker_exited")
            os.kill(worker, signal.SIGKILL)
            proxy.log.wait("worker_restarted")
        talk(proxy.port, "STRLEN a\n")
        proxy.process.send_signal(signal.SIGTERM)
        assert proxy.wait_exit() == 0
        status, told, _ = interrupt(process)
    assert status == 1
    assert "connection under way: compared up to now." in told
    assert found(report) == [("STRLEN", "field", "value", 1, 5)]
    live = tmp_path / "live"
    status, told = compare(capture, "--live", "--report", live)
    assert (status, found(live)) == (1, found(report))


def test_a_shadow_that_stops_harms_nobody_and_is_told_of(
    start_proxy: StartProxy, program: Callable[[str], str], tmp_path: Path
) -> None:
    capture, report = tmp_path / "capture", tmp_path / "report"
    with ExitStack() as stack:
        backend = stack.enter_context(redis(program("redis-server"), tmp_path / "backend"))
        with redis(program("redis-server"), tmp_path / "shadow") as shadow:
            proxy = shadowing(start_proxy, (backend, shadow), capture, "--workers", "1")
            talk(proxy.port, SCRIPT)
            proxy.log.wait("connection", 1)
        talk(proxy.port, SCRIPT)  # nobody listens there any more
        end(proxy, 2)
    status, _ = compare(capture, "--live", "--report", report)
    assert status == 1
    differences = found(report)
    assert ("", "ending", "(ending)", 1, 1) in differences
    missing = sum(raw for *_, field, _, raw in differences if field == "(missing)")
    assert missing == 29
