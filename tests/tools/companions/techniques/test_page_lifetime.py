"""What goes wrong when memory is touched after vmsplice, and why no buffer is used twice."""

import mmap
import os
import socket
from collections.abc import Iterator

import pytest

from spliceproxy.kernel import page_syscalls, syscalls
from spliceproxy.kernel.pipes import Pipe
from tests.streams import tcp_pair
from tests.tools.companions.techniques.sending import PAGE, content, deliver, file_of
from tools.companions.techniques.opening import open_sender

FLAGS = (0, page_syscalls.SPLICE_F_GIFT)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe(0)
    yield pipe
    pipe.close()


def give(memory: mmap.mmap, pipe: Pipe, sock: socket.socket, flags: int) -> None:
    flags |= syscalls.SPLICE_NONBLOCK
    assert page_syscalls.vmsplice(pipe.write_fd, memory, 0, PAGE, flags) == PAGE
    fd = sock.fileno()
    assert syscalls.splice(pipe.read_fd, fd, PAGE, None, None, syscalls.SPLICE_NONBLOCK) == PAGE


@pytest.mark.parametrize("flags", FLAGS)
def test_a_buffer_used_again_changes_what_the_socket_has_taken(pipe: Pipe, flags: int) -> None:
    """The peer gets bytes that were never sent, although it has acknowledged the right ones."""
    near, far = tcp_pair()
    with near, far, mmap.mmap(-1, PAGE) as memory:
        memory[:] = b"old" + bytes(PAGE - 3)
        give(memory, pipe, near, flags)
        assert syscalls.unacknowledged_bytes(near) == 0
        memory[:3] = b"NEW"
        assert far.recv(PAGE) == b"NEW" + bytes(PAGE - 3)


@pytest.mark.parametrize("flags", FLAGS)
def test_memory_that_is_unmapped_stays_what_it_was(pipe: Pipe, flags: int) -> None:
    near, far = tcp_pair()
    with near, far:
        with mmap.mmap(-1, PAGE) as memory:
            memory[:] = b"old" + bytes(PAGE - 3)
            give(memory, pipe, near, flags)
        with mmap.mmap(-1, PAGE) as memory:
            memory[:] = b"NEW" + bytes(PAGE - 3)
            assert far.recv(PAGE) == b"old" + bytes(PAGE - 3)


@pytest.mark.parametrize("gift", [False, True])
def test_the_sender_is_safe_from_it(gift: bool) -> None:
    """All pieces are taken before the first is read; and then the file is overwritten, too."""
    data = content(16 * PAGE)
    near, far = tcp_pair()
    with near, far, file_of(data) as fd:
        sender = open_sender("vmsplice", fd, 0, len(data), buffer_bytes=PAGE, gift=gift)
        while sender.left_bytes:
            sender.send_some(near, PAGE)
        os.pwrite(fd, bytes(len(data)), 0)
        assert deliver(sender, near, far) == data


@pytest.mark.parametrize("flags", FLAGS)
def test_header_and_body_in_one_vector(pipe: Pipe, flags: int) -> None:
    near, far = tcp_pair()
    with near, far, mmap.mmap(-1, PAGE) as header, mmap.mmap(-1, 2 * PAGE) as body:
        header[:4], body[:] = b"head", content(2 * PAGE)
        pieces = [(header, 0, 4), (body, 100, PAGE)]
        flags |= syscalls.SPLICE_NONBLOCK
        assert page_syscalls.vmsplice_vector(pipe.write_fd, pieces, flags) == 4 + PAGE
        moved = syscalls.splice(pipe.read_fd, near.fileno(), 4 + PAGE)
        assert moved == 4 + PAGE
        assert far.recv(3 * PAGE) == b"head" + content(2 * PAGE)[100 : 100 + PAGE]


def test_a_vector_is_cut_where_the_pipe_has_no_slot_left() -> None:
    pipe = Pipe(2 * PAGE, 2 * PAGE)
    try:
        with mmap.mmap(-1, PAGE) as memory:
            pieces = [(memory, 10 * number, 10) for number in range(3)]
            assert page_syscalls.vmsplice_vector(pipe.write_fd, pieces) == 20
            with pytest.raises(BlockingIOError):
                page_syscalls.vmsplice_vector(pipe.write_fd, pieces[2:])
    finally:
        pipe.close()
