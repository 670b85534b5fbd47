"""The echo server: every byte comes back, behind it the end."""

import socket
import threading
import time

import pytest

from tests.tools.companions.programs import (
    connect,
    pipes_of,
    read_all,
    read_until_reset,
    run,
    send_all,
    serving,
    stop,
)
from tests.tools.companions.techniques.sending import content


def test_what_arrives_comes_back_and_the_end_behind_it() -> None:
    """Far more than the sockets hold, so that it is written and read at once."""
    data = content(8 << 20)
    with serving("echo") as (process, port):
        with connect(port) as sock:
            writer = threading.Thread(target=send_all, args=(sock, data))
            writer.start()
            assert read_all(sock) == data
            writer.join()
        assert "8,388,608 bytes echoed, closed" in stop(process)
        assert process.returncode == 0


def test_an_idle_connection_has_no_pipe() -> None:
    with serving("echo") as (process, port), connect(port) as busy, connect(port) as idle:
        for sock in (busy, idle):
            sock.sendall(b"ping")
            assert sock.recv(100) == b"ping"
        # One pipe for the two of them waits in the pool.
        assert pipes_of(process) == 2


def test_a_reader_that_is_slow_loses_nothing_and_holds_up_nobody() -> None:
    data = content(4 << 20)
    with serving("echo") as (_, port), connect(port) as slow, connect(port) as other:
        writer = threading.Thread(target=send_all, args=(slow, data))
        writer.start()
        other.sendall(b"ping")
        assert other.recv(100) == b"ping"
        assert read_all(slow) == data
        writer.join()


def test_urgent_data_does_not_stop_the_stream() -> None:
    with serving("echo") as (_, port), connect(port) as sock:
        sock.sendall(b"before")
        sock.send(b"!", socket.MSG_OOB)
        sock.sendall(b"behind")
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b"beforebehind"


@pytest.mark.parametrize(
    ("arguments", "least_s"), [(("--delay", "200ms"), 0.2), (("--rate", "100KB"), 0.15)]
)
def test_delay_and_rate_take_their_time(arguments: tuple[str, str], least_s: float) -> None:
    with serving("echo", *arguments) as (_, port), connect(port) as sock:
        start_s = time.monotonic()
        sock.sendall(content(20_000))
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == content(20_000)
        assert time.monotonic() - start_s >= least_s


def test_what_stands_still_is_reset() -> None:
    with serving("echo", "--idle-timeout", "50ms") as (_, port), connect(port) as sock:
        assert read_until_reset(sock) == 0


def test_connections_beyond_the_limit_are_reset() -> None:
    with serving("echo", "--max-connections", 1) as (_, port), connect(port) as first:
        first.sendall(b"ping")
        assert first.recv(100) == b"ping"
        with connect(port) as second:
            assert read_until_reset(second) == 0


def test_an_address_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        outcome = run("echo", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert outcome.returncode == 3
    assert outcome.stderr.count(b"\n") == 1
    assert b"in use; choose another" in outcome.stderr
