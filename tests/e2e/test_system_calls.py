"""How many system calls of a worker a connection costs: one more is to be meant."""

import re
import shutil
import signal
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.ports import free_port

from .conftest import StartProxy
from .processes import wait_until
from .proxy_command import ProxyCommand

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("strace") is None, reason="there is no strace"),
]

TIMES = 20
"""That each thing is done: what a worker does by the clock is less often."""

SHORT = {
    "accept4": 1,
    "getsockname": 1,  # by Python, which looks whether it has got a socket
    "ioctl": 1,  # non-blocking, which is not inherited
    "socket": 1,
    "setsockopt": 4,  # TCP_NODELAY, and SO_LINGER; that off again, on both sides
    "connect": 2,
    "epoll_ctl": 3,  # both are watched, and the one that has ended no more
    "splice": 4,
    "recvfrom": 2,  # the ends
    "shutdown": 1,
    "close_range": 1,
}
"""A connection with a request, and an answer whose end comes with it."""

SHORT_MIRRORED = {
    **{name: count for name, count in SHORT.items() if name not in ("splice", "close_range")},
    "recvfrom": 4,
    "sendto": 2,
    "getpid": 1,  # for the names of its files
}
"""It is so small that its bytes are read for the mirror, and sent."""

EXCHANGE = {"splice": 4}
"""A request and its answer on a connection that is open already."""

EXCHANGE_MIRRORED = {"recvfrom": 2, "sendto": 2}

REQUEST, ANSWER = b"q" * 100, b"a" * 1000

# How often these are made is a question of time: waiting for events, in the reactor and in Trio; a
# look for a client when there is none; the table of all workers, once a second; Python's memory.
_BY_TIME = re.compile(
    r"epoll_wait\(|epoll_ctl\(.*EPOLLONESHOT|accept4\(.*EAGAIN|fcntl\(.*F_SETLK"
    r"|(brk|mmap|munmap|mremap|madvise|restart_syscall)\("
)
# Turns between the worker and the thread of a mirror, whose descriptors come between others, too.
_WITH_THREADS = {"futex", "read", "write", "close_range"}
_CALL = re.compile(r"(\w+)\(")


class Origin:
    """A backend that the test plays, one connection after the other.

    Its port is none that a connection to it might get as its own, which would have to be asked for.
    """

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", free_port()))
        self.listener.settimeout(20)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.listener.getsockname()[1]}"

    def accept(self) -> socket.socket:
        backend, _ = self.listener.accept()
        backend.settimeout(20)
        return backend


@pytest.fixture
def origin_here() -> Iterator[Origin]:
    origin = Origin()
    with origin.listener:
        yield origin


@contextmanager
def traced(worker: int, path: Path) -> Iterator[Counter[str]]:
    """Count what the thread of a worker that moves the traffic calls inside the block."""
    calls: Counter[str] = Counter()
    command = ["strace", "-qq", "-o", str(path), "-p", str(worker)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
        assert strace.stderr is not None
        try:
            _wait_until_attached(worker, strace)
            yield calls
        finally:
            strace.send_signal(signal.SIGINT)
            strace.wait(20)
    for line in path.read_text().splitlines():
        call = _CALL.match(line)
        if call is not None and not _BY_TIME.match(line):
            calls[call[1]] += 1


def _wait_until_attached(worker: int, strace: "subprocess.Popen[str]") -> None:
    status = Path(f"/proc/{worker}/status")

    def is_decided() -> bool:
        attached = f"TracerPid:\t{strace.pid}\n" in status.read_text()
        return attached or strace.poll() is not None

    wait_until(is_decided, 20, "strace looks, or may not")
    if strace.poll() is not None:
        assert strace.stderr is not None
        pytest.skip(f"strace may not look at the worker: {strace.stderr.read().strip()}")


def short_connection(proxy: ProxyCommand, origin: Origin) -> None:
    with proxy.connect() as client, origin.accept() as backend:
        client.sendall(REQUEST)
        assert backend.recv(len(REQUEST), socket.MSG_WAITALL) == REQUEST
        backend.sendall(ANSWER, socket.MSG_MORE)
        backend.shutdown(socket.SHUT_WR)  # one segment with the answer
        assert client.recv(len(ANSWER) + 1, socket.MSG_WAITALL) == ANSWER
        client.close()
        assert backend.recv(1) == b""


def exchange(client: socket.socket, backend: socket.socket) -> None:
    client.sendall(REQUEST)
    assert backend.recv(len(REQUEST), socket.MSG_WAITALL) == REQUEST
    backend.sendall(ANSWER)
    assert client.recv(len(ANSWER), socket.MSG_WAITALL) == ANSWER


def per_time(calls: Counter[str], *, threads: bool) -> dict[str, float]:
    """Divide by how often it was done; mirrors have threads."""
    return {
        name: count / TIMES
        for name, count in calls.items()
        if not (threads and name in _WITH_THREADS)
    }


mirrored_or_not = pytest.mark.parametrize("mirrored", [False, True], ids=["plain", "file"])


def start(
    start_proxy: StartProxy, origin: Origin, tmp_path: Path, *, mirrored: bool
) -> ProxyCommand:
    mirror = ["--mirror", f"file:{tmp_path / 'copies'}"] if mirrored else []
    (tmp_path / "copies").mkdir()
    arguments = ["--backend", origin.address, "--workers", "1", "--access-log", "none"]
    return start_proxy(*arguments, *mirror)


@mirrored_or_not
def test_a_short_connection(
    start_proxy: StartProxy, origin_here: Origin, tmp_path: Path, *, mirrored: bool
) -> None:
    proxy = start(start_proxy, origin_here, tmp_path, mirrored=mirrored)
    (worker,) = proxy.workers()
    for _ in range(3):  # pipes are made once
        short_connection(proxy, origin_here)
    with traced(worker, tmp_path / "trace") as calls:
        for _ in range(TIMES):
            short_connection(proxy, origin_here)
        wait_until(lambda: not any(proxy.sockets_above_baseline().values()), 20, "all closed")
    assert per_time(calls, threads=mirrored) == (SHORT_MIRRORED if mirrored else SHORT)


@mirrored_or_not
def test_a_request_and_its_answer(
    start_proxy: StartProxy, origin_here: Origin, tmp_path: Path, *, mirrored: bool
) -> None:
    proxy = start(start_proxy, origin_here, tmp_path, mirrored=mirrored)
    (worker,) = proxy.workers()
    with proxy.connect() as client, origin_here.accept() as backend:
        for _ in range(20):  # a mirrored connection finds out whether it is worth a splice
            exchange(client, backend)
        with traced(worker, tmp_path / "trace") as calls:
            for _ in range(TIMES):
                exchange(client, backend)
    assert per_time(calls, threads=mirrored) == (EXCHANGE_MIRRORED if mirrored else EXCHANGE)
