"""MSG_ZEROCOPY: every send gets its completion, which on one machine says that it was copied."""

import errno
import mmap
import select
import socket
import struct
from collections.abc import Iterator

import pytest

from spliceproxy.kernel import page_syscalls
from tests.faults import FailAt
from tests.streams import fill_up, tcp_pair
from tests.tools.companions.techniques.sending import PAGE, content
from tools.companions.techniques.zero_copy_send import Completion, ZeroCopySends, parse


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = tcp_pair()
    with near, far:
        yield near, far


def wait_and_collect(sends: ZeroCopySends, sock: socket.socket) -> list[Completion]:
    found: list[Completion] = []
    poll = select.poll()
    poll.register(sock, 0)  # POLLERR alone, which is always asked for
    while sends.pending:
        assert poll.poll(10_000), "no completion within 10 s"
        found += sends.collect()
    return found


def test_completions_name_the_sends_and_say_that_loopback_copies(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    near, far = pair
    data = content(3 * PAGE)
    sends = ZeroCopySends(near)
    for start in range(0, 3 * PAGE, PAGE):
        assert sends.send(memoryview(data)[start : start + PAGE]) == PAGE
    assert sends.made == 3
    found = wait_and_collect(sends, near)
    assert {number for one in found for number in range(one.first, one.last + 1)} == {0, 1, 2}
    assert all(one.was_copied for one in found)
    assert (sends.completed, sends.copied, sends.refused) == (3, 3, 0)
    assert far.recv(4 * PAGE, socket.MSG_WAITALL) == data


def test_memory_may_be_written_again_after_its_completion(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """Vmsplice never gets that far: test_page_lifetime."""
    near, far = pair
    sends = ZeroCopySends(near)
    with mmap.mmap(-1, PAGE) as memory:
        memory[:] = b"old" + bytes(PAGE - 3)
        with memoryview(memory) as view:
            sends.send(view)
        wait_and_collect(sends, near)
        memory[:3] = b"NEW"
        assert far.recv(PAGE) == b"old" + bytes(PAGE - 3)


def test_a_full_socket_takes_no_number(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    sends = ZeroCopySends(near)
    filled = fill_up(near)
    with pytest.raises(BlockingIOError):
        sends.send(memoryview(bytes(PAGE)))
    assert sends.made == 0
    far.setblocking(True)
    while filled:
        filled -= len(far.recv(filled))
    sends.send(memoryview(bytes(PAGE)))
    [only] = wait_and_collect(sends, near)
    assert (only.first, only.last) == (0, 0)


def test_too_many_without_a_completion_are_copied_at_once(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    near, far = pair
    sends = ZeroCopySends(near)
    fault = FailAt(page_syscalls.send_zero_copy, 1, errno.ENOBUFS)
    monkeypatch.setattr(page_syscalls, "send_zero_copy", fault)
    assert sends.send(memoryview(b"copied")) == 6
    assert (sends.made, sends.refused, sends.collect()) == (0, 1, [])
    assert sends.send(memoryview(b"referred")) == 8
    assert len(wait_and_collect(sends, near)) == 1
    assert far.recv(20) == b"copiedreferred"


def test_other_errors_stay_what_they_are(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    sends = ZeroCopySends(pair[0])
    fault = FailAt(page_syscalls.send_zero_copy, 1, errno.EPIPE)
    monkeypatch.setattr(page_syscalls, "send_zero_copy", fault)
    with pytest.raises(BrokenPipeError):
        sends.send(memoryview(b"lost"))


def test_a_unix_socket_has_none() -> None:
    near, far = socket.socketpair()
    with near, far, pytest.raises(OSError, match=r"524|not supported"):
        ZeroCopySends(near)


def record(origin: int, code: int, first: int, last: int) -> bytes:
    return struct.pack("=IBBBBII", 0, origin, 0, code, 0, first, last) + bytes(16)


def test_records() -> None:
    assert parse(record(5, 0, 7, 9)) == Completion(7, 9, was_copied=False)
    assert parse(record(5, 1, 7, 7)) == Completion(7, 7, was_copied=True)
    assert parse(record(2, 0, 7, 9)) is None, "an ICMP error"
    assert parse(b"") is None
    assert Completion(0xFFFFFFFE, 1, was_copied=False).count == 4, "numbers wrap"
