"""Companion programs as processes, and the ports that they print."""

import hashlib
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests.descriptors import open_descriptors

REPOSITORY = Path(__file__).resolve().parents[3]
TIMEOUT_S = 20


def command(name: str, arguments: Sequence[object]) -> list[str]:
    return [sys.executable, "-m", f"tools.companions.{name}", *map(str, arguments)]


def run(name: str, *arguments: object, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end, with something on its standard input."""
    return subprocess.run(
        command(name, arguments),
        input=given,
        capture_output=True,
        check=False,
        cwd=REPOSITORY,
        timeout=TIMEOUT_S,
    )


@contextmanager
def started(name: str, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program whose streams are pipes; it is gone at the end of the block."""
    process = subprocess.Popen(
        command(name, arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=REPOSITORY,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def serving(name: str, *arguments: object) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Start a server on a free port, and return when it is listening."""
    with started(name, "--listen", "127.0.0.1:0", *arguments) as process:
        yield process, listening_port(process.stdout)


def listening_port(output: IO[bytes] | None) -> int:
    assert output is not None
    line = output.readline().decode()
    assert line.startswith("listening on 127.0.0.1:"), line
    return int(line.rpartition(":")[2])


def stop(process: subprocess.Popen[bytes]) -> str:
    """Interrupt it as Ctrl-C does; what else it prints."""
    process.send_signal(signal.SIGINT)
    return finish(process)


def finish(process: subprocess.Popen[bytes]) -> str:
    output, errors = process.communicate(timeout=TIMEOUT_S)
    assert b"Traceback" not in errors
    return output.decode()


def connect(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port))
    sock.settimeout(TIMEOUT_S)
    return sock


@contextmanager
def listening() -> Iterator[tuple[socket.socket, str]]:
    """A peer that the test itself plays: its listening socket, with a small window, and address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.settimeout(TIMEOUT_S)
        yield listener, "127.0.0.1:{1}".format(*listener.getsockname())


def accept(listener: socket.socket) -> socket.socket:
    sock, _ = listener.accept()
    sock.settimeout(TIMEOUT_S)
    return sock


def read_all(sock: socket.socket) -> bytes:
    received = bytearray()
    while some := sock.recv(1 << 20):
        received += some
    return bytes(received)


def read_until_reset(sock: socket.socket) -> int:
    """How many bytes there are in front of the reset; an orderly end fails the test."""
    count = 0
    while True:
        try:
            some = sock.recv(1 << 20)
        except ConnectionResetError:
            return count
        assert some, "the stream ended as if it were complete"
        count += len(some)


def send_until_refused(sock: socket.socket) -> None:
    for _ in range(10_000):
        try:
            sock.sendall(bytes(10_000))
        except ConnectionError:
            return
    pytest.fail("everything was taken")


def send_all(sock: socket.socket, data: bytes) -> None:
    """Send a whole stream, and its end."""
    sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)


def pipes_of(process: subprocess.Popen[bytes]) -> int:
    """How many ends of pipes it has open, beyond its standard streams."""
    found = open_descriptors(process.pid)
    return sum(what.startswith("pipe:") for fd, what in found.items() if fd > 2)


def digests(output: str) -> list[str]:
    """Return the checksums that a program tells."""
    return re.findall("sha256 ([0-9a-f]{64})", output)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
