"""Socket options, and the ways in which a socket may end."""

import errno
import socket
import struct

import pytest

from spliceproxy.kernel.sockets import (
    close_all,
    finish_cleanly,
    is_tcp,
    pending_error,
    prepare_stream,
    undelivered_bytes,
)
from tests.descriptors import open_descriptors
from tests.streams import fill_up, reset, tcp_pair


def option(sock: socket.socket, level: int, name: int) -> int:
    return sock.getsockopt(level, name)


def assert_prepared(sock: socket.socket, user_timeout_ms: int) -> None:
    assert option(sock, socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert option(sock, socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert option(sock, socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == user_timeout_ms
    linger = sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)
    assert struct.unpack("ii", linger) == (1, 0)


@pytest.mark.parametrize(
    ("timeout_s", "timeout_ms"), [(0.0, 0), (1.5, 1500), (0.0001, 1), (60.0, 60_000)]
)
def test_what_a_listener_is_given_its_connections_have(timeout_s: float, timeout_ms: int) -> None:
    with socket.socket() as listener:
        prepare_stream(listener, timeout_s)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
            assert_prepared(accepted, timeout_ms)


@pytest.mark.parametrize("order", [(), (0,), (1, 0), (0, 2), (3, 2, 0), (0, 1, 2, 3), (2, 0, 3, 1)])
def test_only_what_is_to_be_closed_is_closed(order: tuple[int, ...]) -> None:
    """The numbers of these sockets follow on each other, unless others are free below."""
    socks = [socket.SocketType(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(4)]
    before = open_descriptors()
    closing = [socks[number] for number in order]
    fds = {sock.fileno() for sock in closing}
    close_all([*closing, *closing])  # as closing one twice does no harm
    assert all(sock.fileno() < 0 for sock in closing)
    assert before.keys() - open_descriptors().keys() == fds
    close_all(socks)


def test_unix_sockets_need_nothing() -> None:
    near, far = socket.socketpair()
    with near, far:
        assert not is_tcp(near)
        prepare_stream(near, 5.0)
        finish_cleanly(near)
        near.send(b"content")
        assert undelivered_bytes(near) == 0


def test_a_prepared_socket_ends_in_a_reset() -> None:
    near, far = tcp_pair()
    with far:
        prepare_stream(near, 0)
        near.close()
        with pytest.raises(ConnectionResetError):
            far.recv(1)


def test_a_socket_that_finishes_cleanly_ends_behind_its_data() -> None:
    near, far = tcp_pair()
    with far:
        prepare_stream(near, 0)
        sent = fill_up(near)
        finish_cleanly(near)
        near.close()
        far.setblocking(True)
        received = 0
        while chunk := far.recv(1 << 20):
            received += len(chunk)
        assert received == sent


def test_asking_for_an_error_takes_it_away() -> None:
    near, far = tcp_pair()
    with near:
        assert pending_error(near) == 0
        reset(far)
        assert pending_error(near) == errno.ECONNRESET
        assert pending_error(near) == 0


def test_nothing_is_undelivered_once_the_peer_has_read_it() -> None:
    near, far = tcp_pair()
    with near, far:
        assert undelivered_bytes(near) == 0
        fill_up(near)
        assert undelivered_bytes(near) > 0


def test_a_peer_that_has_gone_is_owed_nothing() -> None:
    near, far = tcp_pair()
    with near:
        fill_up(near)
        reset(far)
        assert undelivered_bytes(near) == 0
        assert pending_error(near) == errno.ECONNRESET, "asking has taken nothing away"
