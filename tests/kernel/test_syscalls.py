"""The seam: what each call promises beyond its manual page."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from spliceproxy.kernel import syscalls
from tests.streams import fill_up, tcp_pair

Pipe = tuple[int, int]


@pytest.fixture
def pipes() -> Iterator[list[Pipe]]:
    made = [syscalls.make_pipe() for _ in range(2)]
    yield made
    for ends in made:
        for fd in ends:
            os.close(fd)


def test_pipes_do_not_wait_and_are_not_inherited(pipes: list[Pipe]) -> None:
    for fd in pipes[0]:
        assert not os.get_blocking(fd)
        assert not os.get_inheritable(fd)
    with pytest.raises(BlockingIOError):
        os.read(pipes[0][0], 1)


def test_a_pipe_tells_the_capacity_that_it_was_given(pipes: list[Pipe]) -> None:
    _, writer = pipes[0]
    assert syscalls.pipe_capacity(writer) == 65536
    assert syscalls.set_pipe_capacity(writer, 100_000) == 131_072
    assert syscalls.pipe_capacity(writer) == 131_072


def test_tee_copies_and_consumes_nothing(pipes: list[Pipe]) -> None:
    (reader, writer), (copy_reader, copy_writer) = pipes
    os.write(writer, b"content")
    assert syscalls.tee(reader, copy_writer, 100) == 7
    assert os.read(copy_reader, 100) == b"content"
    assert os.read(reader, 100) == b"content"


def test_tee_starts_at_the_head_each_time(pipes: list[Pipe]) -> None:
    (reader, writer), (copy_reader, copy_writer) = pipes
    os.write(writer, b"content")
    assert syscalls.tee(reader, copy_writer, 3) == 3
    assert syscalls.tee(reader, copy_writer, 100) == 7
    assert os.read(copy_reader, 100) == b"concontent"


def test_tee_from_an_empty_pipe_and_into_a_full_one(pipes: list[Pipe]) -> None:
    (reader, writer), (_, copy_writer) = pipes
    with pytest.raises(BlockingIOError):
        syscalls.tee(reader, copy_writer, 100)
    os.write(writer, b"content")
    os.write(copy_writer, bytes(65536))
    with pytest.raises(BlockingIOError):
        syscalls.tee(reader, copy_writer, 100)


def test_tee_of_what_is_no_pipe(pipes: list[Pipe]) -> None:
    with (
        Path("/dev/null").open() as file,
        pytest.raises(OSError, match="Invalid argument") as caught,
    ):
        syscalls.tee(file.fileno(), pipes[0][1], 100)
    assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_accepted_sockets_do_not_wait_and_are_not_inherited(
    family: socket.AddressFamily, tmp_path: object
) -> None:
    """A blocking one would stop the whole worker at the first reader that is slow."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket(family))
        listener.bind(f"{tmp_path}/socket" if family == socket.AF_UNIX else ("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        client = stack.enter_context(socket.socket(family))
        client.connect(listener.getsockname())
        sock, address = syscalls.accept(listener, family)
        stack.callback(sock.close)
        assert not os.get_blocking(sock.fileno())
        assert not os.get_inheritable(sock.fileno())
        assert sock.gettimeout() == 0
        assert sock.family == family
        assert address == client.getsockname()
        with pytest.raises(BlockingIOError):
            syscalls.accept(listener, family)


def test_connecting_tells_how_it_stands() -> None:
    sock = syscalls.open_socket(socket.AF_INET)
    assert not os.get_blocking(sock.fileno())
    assert not os.get_inheritable(sock.fileno())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answers = [syscalls.connect(sock, listener.getsockname()) for _ in range(3)]
    sock.close()
    assert answers[0] == errno.EINPROGRESS
    assert answers[1:] == [0, errno.EISCONN]


def test_receiving_and_sending() -> None:
    near, far = tcp_pair()
    with near, far:
        with pytest.raises(BlockingIOError):
            syscalls.receive(near, 100)
        assert syscalls.send(far, memoryview(b"content")) == 7
        assert syscalls.receive(near, 3) == b"con"
        assert syscalls.receive(near, 100) == b"tent"
        far.shutdown(socket.SHUT_WR)
        assert syscalls.receive(near, 100) == b""
        near.shutdown(socket.SHUT_WR)
        with pytest.raises(BrokenPipeError):
            syscalls.send(near, b"content")


def test_unacknowledged_bytes_are_those_the_peer_has_no_room_for() -> None:
    near, far = tcp_pair()
    with near, far:
        assert syscalls.unacknowledged_bytes(near) == 0
        sent = fill_up(near)
        left = syscalls.unacknowledged_bytes(near)
        assert 0 < left < sent
        received = 0
        far.setblocking(True)
        while received < sent:
            received += len(far.recv(1 << 20))
        assert syscalls.unacknowledged_bytes(near) < left
