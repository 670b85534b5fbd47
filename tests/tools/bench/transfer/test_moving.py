"""What is measured brings every byte over, unchanged; and its calls are counted."""

import errno
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from spliceproxy.kernel import syscalls
from spliceproxy.kernel.credentials import Identity, acting_as
from spliceproxy.kernel.pipes import Pipe
from tests.faults import ENDLESS, FailAt
from tests.streams import fill_up, tcp_pair
from tests.tools.bench.transfer.receiver import Receiver, connected
from tools.bench.errors import BenchError
from tools.bench.transfer import corking, files, pipes, relays
from tools.bench.transfer.counting import counting
from tools.bench.transfer.growing_pipe import GrowingPipe
from tools.companions.shared.segments import data_segments
from tools.companions.techniques.sender import METHODS, Method

KIB, MIB = 1 << 10, 1 << 20
CONTENT = os.urandom(3 * MIB + 7)
STREAM = CONTENT[: 500 * KIB + 7]


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, Receiver]]:
    with connected() as made:
        yield made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "content"
    file.write_bytes(CONTENT)
    return file


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("buffer_bytes", [4 * KIB, 1 * MIB])
def test_a_file_arrives_unchanged(
    path: Path, pair: tuple[socket.socket, Receiver], method: Method, buffer_bytes: int
) -> None:
    sock, receiver = pair
    with files.opened(path) as fd:
        files.send(method, fd, len(CONTENT), buffer_bytes, sock)
    sock.close()
    assert receiver.join() == CONTENT


WAYS = {
    "copy": lambda: relays.copying(64 * KIB),
    "splice": lambda: relays.splicing(64 * KIB),
    "tee": lambda: relays.teeing(64 * KIB),
    "grows": pipes.growing,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_stream_is_relayed_unchanged(way: str) -> None:
    near, far = tcp_pair()
    with (
        near,
        far,
        WAYS[way]() as move,
        connected(send_bytes=16 * KIB) as (destination, receiver),  # less than is moved at once
    ):
        near.settimeout(10)
        sender = threading.Thread(target=near.sendall, args=(STREAM,))
        sender.start()
        assert relays.relay(move, far, destination, len(STREAM)) == len(STREAM)
        sender.join()
        destination.close()
        assert receiver.join() == STREAM


def test_a_file_goes_through_a_pipe_that_grows(
    path: Path, pair: tuple[socket.socket, Receiver]
) -> None:
    sock, receiver = pair
    with files.opened(path) as fd, closing(GrowingPipe()) as pipe:
        assert pipe.capacity_bytes == 4 * KIB
        pipes.send(fd, pipe, sock)
        # It doubles from 4 KiB to 1 MiB within the first 2 MiB.
        assert pipe.capacity_bytes == syscalls.pipe_capacity(pipe.write_fd) == MIB
    sock.close()
    assert receiver.join() == CONTENT


def test_a_pipe_does_not_grow_for_small_fills() -> None:
    with closing(GrowingPipe()) as pipe:
        for _ in range(10):
            pipe.note_fill(4 * KIB - 1)
        assert pipe.capacity_bytes == 4 * KIB


def test_a_pipe_that_may_not_grow_carries_on_and_asks_no_more(
    monkeypatch: pytest.MonkeyPatch, path: Path, pair: tuple[socket.socket, Receiver]
) -> None:
    sock, receiver = pair
    with files.opened(path) as fd, closing(GrowingPipe()) as pipe:
        quota = FailAt(syscalls.set_pipe_capacity, 3, errno.EPERM, times=ENDLESS)
        monkeypatch.setattr(syscalls, "set_pipe_capacity", quota)
        pipes.send(fd, pipe, sock)
        assert pipe.capacity_bytes == pipe.most_bytes == syscalls.pipe_capacity(pipe.write_fd)
        assert (pipe.capacity_bytes, quota.calls) == (16 * KIB, 3)
    sock.close()
    assert receiver.join() == CONTENT


SOMEBODY = Identity(54_321, 54_321, (), "somebody", "/")
"""A user without rights, and with a quota that no other process uses."""


@pytest.mark.alone("uses up a user's quota of pipes")
def test_the_real_quota_bounds_a_pipe_that_grows() -> None:
    quota_pages = int(Path("/proc/sys/fs/pipe-user-pages-soft").read_text())
    if not 0 < quota_pages <= 1 << 16:
        pytest.skip("this machine's quota is none that a test could use up")
    with acting_as(SOMEBODY if os.geteuid() == 0 else None), ExitStack() as stack:
        for _ in range(quota_pages // 256):
            stack.enter_context(closing(Pipe(MIB)))
        pipe = stack.enter_context(closing(GrowingPipe()))
        for _ in range(20):
            os.write(pipe.write_fd, bytes(pipe.capacity_bytes))
            pipe.note_fill(len(os.read(pipe.read_fd, MIB)))
        assert pipe.capacity_bytes == syscalls.pipe_capacity(pipe.write_fd) < MIB


@pytest.mark.parametrize("way", [corking.NODELAY, corking.CORK, corking.MORE, corking.NAGLE])
def test_an_answer_is_a_header_and_a_file(path: Path, way: str) -> None:
    near, far = tcp_pair()
    with near, far, files.opened(path) as fd:
        far.settimeout(10)
        before = data_segments(near)
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, int(way == corking.NODELAY))
        corking.answer(near, way, fd, 1000)
        whole = far.recv(len(corking.HEADER) + 1000, socket.MSG_WAITALL)
        assert whole == corking.HEADER + CONTENT[:1000]
        assert near.getsockopt(socket.IPPROTO_TCP, socket.TCP_CORK) == 0
        segments = data_segments(near) - before
        assert segments == (1 if way in (corking.CORK, corking.MORE) else 2)


def test_calls_are_counted_where_the_package_makes_them() -> None:
    real = syscalls.make_pipe
    with counting() as count, closing(GrowingPipe()):
        pass
    assert count.calls == 3  # the pipe, its capacity, and the smaller one
    assert syscalls.make_pipe is real


def test_a_peer_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.setattr("tools.bench.transfer.waiting.TIMEOUT_S", 0.05)
    near, far = tcp_pair()
    fill_up(near)
    with (
        near,
        far,
        files.opened(path) as fd,
        closing(GrowingPipe()) as pipe,
        pytest.raises(BenchError, match="did nothing"),
    ):
        pipes.send(fd, pipe, near)
