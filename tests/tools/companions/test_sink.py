"""The sink: counts, files, digests, and the ways to be a bad receiver."""

import hashlib
import socket
import time
from pathlib import Path

import pytest

from tests.tools.companions.programs import (
    connect,
    finish,
    read_all,
    read_until_reset,
    send_all,
    send_until_refused,
    serving,
    stop,
)
from tests.tools.companions.techniques.sending import content

DATA = content(3_000_001)
DIGEST = hashlib.sha256(DATA).hexdigest()


def deliver(port: int, data: bytes = DATA) -> None:
    with connect(port) as sock:
        send_all(sock, data)
        assert read_all(sock) == b""


@pytest.mark.parametrize("arguments", [(), ("--discard", "splice"), ("--checksum",)])
def test_streams_are_counted(arguments: tuple[str, ...]) -> None:
    with serving("sink", "--streams", 2, *arguments) as (process, port):
        deliver(port)
        deliver(port, b"")
        lines = finish(process).splitlines()
    assert process.returncode == 0
    assert ": 3000001 bytes in " in lines[0]
    assert ", closed" in lines[0]
    assert ": 0 bytes in " in lines[1]
    assert lines[2] == "2 streams, 3000001 bytes"
    assert (f"sha256 {DIGEST}" in lines[0]) == ("--checksum" in arguments)


@pytest.mark.parametrize("arguments", [(), ("--checksum",)])
def test_files(arguments: tuple[str, ...], tmp_path: Path) -> None:
    with serving("sink", "--into", tmp_path, "--streams", 2, *arguments) as (process, port):
        deliver(port)
        deliver(port, b"second")
        finish(process)
    assert (tmp_path / "000001").read_bytes() == DATA
    assert (tmp_path / "000002").read_bytes() == b"second"
    assert (tmp_path / "000001").stat().st_mode & 0o777 == 0o600


def test_a_file_that_exists_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "000001").write_bytes(b"precious")
    with serving("sink", "--into", tmp_path) as (process, port):
        with connect(port) as sock:
            assert read_until_reset(sock) == 0
        assert "refused, [Errno 17] File exists" in stop(process)
    assert (tmp_path / "000001").read_bytes() == b"precious"


def test_a_rate_takes_its_time() -> None:
    with serving("sink", "--rate", "100KB", "--streams", 1) as (process, port):
        start_s = time.monotonic()
        deliver(port, bytes(20_000))
        assert time.monotonic() - start_s >= 0.15
        assert ": 20000 bytes in " in finish(process)


@pytest.mark.parametrize("after", [0, 1000, 70_000])
def test_a_reset_comes_after_exactly_so_many_bytes(after: int) -> None:
    with serving("sink", "--reset-after", after, "--streams", 1) as (process, port):
        with connect(port) as sock:
            send_until_refused(sock)
        assert f": {after} bytes in " in (output := finish(process))
    assert "reset by the sink" in output


def test_a_stalled_stream_stays_open_until_its_peer_gives_up() -> None:
    arguments = ("--stall-after", 1000, "--receive-buffer", 4096)
    with serving("sink", *arguments) as (process, port):
        with connect(port) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            sock.settimeout(0.3)
            with pytest.raises(TimeoutError):
                sock.sendall(bytes(10 << 20))
        # Unread, unsent bytes: the close is a FIN behind them, which cannot get through.
        output = stop(process)
    assert ": 1000 bytes in " in output
    assert output.splitlines()[-1] == "1 streams, 1000 bytes"
    assert "stopped" in output
