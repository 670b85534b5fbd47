import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import trio
import trio.lowlevel

from spliceproxy.observe.line_buffer import LineBuffer, flush_task
from spliceproxy.observe.syslog_outlet import SyslogOutlet

REPORT = b"log_lines_dropped count=%d\n"


def daemon_at(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    daemon = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    daemon.bind(str(path))
    daemon.setblocking(False)
    return daemon


def received(daemon: socket.socket) -> list[bytes]:
    messages = []
    try:
        while True:
            messages.append(daemon.recv(1 << 16))
    except BlockingIOError:
        return messages


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def daemon(path: Path) -> Iterator[socket.socket]:
    with daemon_at(path) as daemon:
        yield daemon


@pytest.fixture
def buffer(daemon: socket.socket, path: Path) -> Iterator[LineBuffer]:
    buffer = LineBuffer(SyslogOutlet(socket.AF_UNIX, str(path)), max_bytes=2000)
    yield buffer
    buffer.close()


def test_each_line_is_a_datagram(buffer: LineBuffer, daemon: socket.socket) -> None:
    buffer.write(b"one")
    buffer.write(b"two")
    assert buffer.flush()
    assert received(daemon) == [b"one", b"two"]


def test_a_daemon_that_stalls_holds_nobody_up(buffer: LineBuffer, daemon: socket.socket) -> None:
    lines = [b"%03d" % number + b"." * 97 for number in range(600)]
    for line in lines:
        buffer.write(line)
        buffer.flush()
    dropped = buffer.dropped_lines
    assert dropped > 0
    messages = received(daemon)
    while not buffer.flush():
        messages += received(daemon)
    messages += received(daemon)
    assert messages == [*lines[: 600 - dropped], REPORT % dropped]


async def test_a_slow_daemon_gets_every_line_as_it_takes_them(path: Path) -> None:
    lines = [b"line %d" % number for number in range(1000)]
    messages: list[bytes] = []
    with daemon_at(path) as daemon, trio.fail_after(20):
        buffer = LineBuffer(SyslogOutlet(socket.AF_UNIX, str(path)))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(flush_task, buffer, 0.001)
            await trio.lowlevel.checkpoint()
            for line in lines:
                buffer.write(line)
            while len(messages) < len(lines):
                await trio.lowlevel.wait_readable(daemon)
                messages += received(daemon)
            nursery.cancel_scope.cancel()
        buffer.close()
    assert messages == lines


def test_a_daemon_that_was_started_again_is_found(
    buffer: LineBuffer, daemon: socket.socket, path: Path
) -> None:
    buffer.write(b"one")
    assert buffer.flush()
    daemon.close()
    buffer.write(b"lost")
    assert buffer.flush()
    assert buffer.dropped_lines == 1
    with daemon_at(path) as successor:
        assert buffer.flush()
        buffer.write(b"two")
        assert buffer.flush()
        assert received(successor) == [REPORT % 1, b"two"]


def test_no_daemon_is_an_error_at_the_start(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        SyslogOutlet(socket.AF_UNIX, str(path))


def test_what_a_host_refuses_over_udp_is_counted() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        address = daemon.getsockname()
        with closing(SyslogOutlet(socket.AF_INET, address)) as outlet:
            assert outlet.send(b"one") == 3
            assert daemon.recv(100) == b"one"
            daemon.close()
            outlet.send(b"vanishes")
            buffer = LineBuffer(outlet)
            buffer.write(b"refused")
            assert buffer.flush()
            assert buffer.dropped_lines == 1
