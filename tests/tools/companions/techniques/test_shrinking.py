"""A file that is shorter than promised: what it has is sent, and the rest is missed."""

import os
import socket

import pytest

from spliceproxy.kernel import page_syscalls, syscalls
from tests.faults import FailAt
from tests.streams import tcp_pair
from tests.tools.companions.techniques.sending import PAGE, PIPE, content, file_of, read_available
from tools.companions.techniques.opening import open_sender
from tools.companions.techniques.sender import METHODS, FileSender, FileShrunkError, Method


def send_all(sender: FileSender, near: socket.socket, far: socket.socket, to: bytearray) -> None:
    while sender.left_bytes:
        sender.send_some(near, PAGE)
        to += read_available(far)


def send_to_the_end(sender: FileSender, near: socket.socket, far: socket.socket) -> bytes:
    received = bytearray()
    with pytest.raises(FileShrunkError) as caught:
        send_all(sender, near, far, received)
    assert caught.value.left_bytes == sender.left_bytes > 0
    sender.close()
    near.shutdown(socket.SHUT_WR)
    far.setblocking(True)
    while some := far.recv(1 << 20):
        received += some
    return bytes(received)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [0, 1, PAGE, PAGE + 100])
def test_a_range_beyond_the_end(method: Method, size: int) -> None:
    data = content(size)
    near, far = tcp_pair()
    with near, far, file_of(data) as fd:
        assert send_to_the_end(open_sender(method, fd, 0, size + 10), near, far) == data


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("left", [PIPE, PIPE + 100])
def test_a_file_cut_while_it_is_sent(method: Method, left: int) -> None:
    data = content(4 * PIPE)
    near, far = tcp_pair()
    with near, far, file_of(data) as fd:
        sender = open_sender(method, fd, 0, len(data))
        sender.send_some(near, 100)
        os.truncate(fd, left)
        assert send_to_the_end(sender, near, far) == data[:left]


def test_a_map_cut_between_the_look_at_its_size_and_the_send(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    near, far = tcp_pair()
    with near, far, file_of(content(4 * PAGE)) as fd:
        sender = open_sender("mmap", fd, 0, 4 * PAGE)
        as_it_was = os.fstat(fd)
        os.truncate(fd, PAGE)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fstat", lambda _fd: as_it_was)
            with pytest.raises(FileShrunkError):
                sender.send_some(near, 4 * PAGE)
        sender.close()


@pytest.mark.parametrize(
    ("method", "seam", "name"),
    [
        ("mmap", syscalls, "send"),
        ("readwrite", syscalls, "send"),
        ("sendfile", page_syscalls, "sendfile"),
        ("splice", syscalls, "splice"),
        ("vmsplice", page_syscalls, "vmsplice"),
    ],
)
def test_other_errors_stay_what_they_are(
    method: Method, seam: object, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, far = tcp_pair()
    with near, far, file_of(content(PAGE)) as fd:
        sender = open_sender(method, fd, 0, PAGE)
        monkeypatch.setattr(seam, name, FailAt(getattr(seam, name), 1, 5))
        with pytest.raises(OSError, match="Input/output error"):
            sender.send_some(near, PAGE)
        assert sender.left_bytes == PAGE
        sender.close()
