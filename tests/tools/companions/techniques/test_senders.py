"""Every technique sends the same bytes: whatever the range, the buffer and the socket."""

import pytest

from tests.streams import TINY, tcp_pair
from tests.tools.companions.techniques.sending import PAGE, PIPE, content, deliver, file_of
from tools.companions.techniques.opening import open_sender
from tools.companions.techniques.sender import METHODS, Method

SIZES = (0, 1, PAGE - 1, PAGE, PAGE + 1, PIPE - 1, PIPE, PIPE + 1, 3 * PIPE + 5, 1 << 20)
RANGES = ((1, PAGE), (PAGE - 1, 2), (PAGE, PIPE), (PAGE + 1, PIPE), (PIPE - 1, PIPE + 2))
WAYS = [(method, False) for method in METHODS] + [("vmsplice", True)]


@pytest.mark.parametrize(("method", "gift"), WAYS)
@pytest.mark.parametrize("size", SIZES)
def test_whole_files(method: Method, gift: bool, size: int) -> None:
    data = content(size)
    near, far = tcp_pair()
    with near, far, file_of(data) as fd:
        assert deliver(open_sender(method, fd, 0, size, gift=gift), near, far) == data


@pytest.mark.parametrize(("method", "gift"), WAYS)
@pytest.mark.parametrize(("offset", "length"), RANGES)
def test_ranges(method: Method, gift: bool, offset: int, length: int) -> None:
    data = content(3 * PIPE)
    near, far = tcp_pair()
    with near, far, file_of(data) as fd:
        sent = deliver(open_sender(method, fd, offset, length, gift=gift), near, far)
        assert sent == data[offset : offset + length]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("buffer_bytes", [1, 4096, 5000, 1 << 20])
def test_buffers(method: Method, buffer_bytes: int) -> None:
    data = content(300 if buffer_bytes == 1 else 3 * PIPE + 5)
    near, far = tcp_pair()
    with near, far, file_of(data) as fd:
        sender = open_sender(method, fd, 0, len(data), buffer_bytes=buffer_bytes)
        assert deliver(sender, near, far) == data


@pytest.mark.parametrize("method", METHODS)
def test_a_socket_that_takes_little_at_a_time(method: Method) -> None:
    data = content(2 * PIPE + 1)
    near, far = tcp_pair(TINY)
    with near, far, file_of(data) as fd:
        assert deliver(open_sender(method, fd, 0, len(data)), near, far) == data


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("limit_bytes", [1, 1000, PAGE + 1])
def test_limits_on_a_piece(method: Method, limit_bytes: int) -> None:
    data = content(500 * limit_bytes if limit_bytes == 1 else 2 * PIPE)
    near, far = tcp_pair()
    with near, far, file_of(data) as fd:
        sender = open_sender(method, fd, 0, len(data))
        assert deliver(sender, near, far, limit_bytes) == data


@pytest.mark.parametrize("method", METHODS)
def test_a_sender_closed_half_way_leaves_nothing_open(method: Method) -> None:
    near, far = tcp_pair()
    with near, far, file_of(content(2 * PIPE)) as fd:
        sender = open_sender(method, fd, 0, 2 * PIPE)
        assert sender.send_some(near, 10) == 10
        sender.close()
