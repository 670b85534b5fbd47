"""The sockets that clients connect to."""

import errno
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from spliceproxy.kernel.listening import (
    OWNER_ONLY,
    Permissions,
    adjust,
    find_tcp,
    is_listening_stream,
    listen_everywhere,
    listen_tcp,
    listen_unix,
)
from tests.descriptors import open_descriptors
from tests.streams import needs_ipv6


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as closing:
        yield closing


def unix_listener(path: str, backlog: int, permissions: Permissions = OWNER_ONLY) -> socket.socket:
    sock, _ = listen_unix(path, backlog, permissions)
    return sock


def listen(stack: ExitStack, host: str | None, port: int = 0) -> list[socket.socket]:
    if host is None:
        return [stack.enter_context(listen_everywhere(port, 16, 0.0))]
    return [
        stack.enter_context(listen_tcp(family, name, 16, 0.0))
        for family, name in find_tcp(host, port)
    ]


@needs_ipv6
def test_without_a_host_both_families_are_served(stack: ExitStack) -> None:
    (sock,) = listen(stack, None)
    port = sock.getsockname()[1]
    assert sock.gettimeout() == 0
    for host in ("127.0.0.1", "::1"):
        with socket.create_connection((host, port)), stack.enter_context(sock.accept()[0]):
            pass


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.7", pytest.param("::1", marks=needs_ipv6)])
def test_one_address_is_one_socket(stack: ExitStack, host: str) -> None:
    (sock,) = listen(stack, host)
    assert sock.getsockname()[0] == host


@needs_ipv6
def test_a_name_is_all_its_addresses(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    names = [sock.getsockname()[0] for sock in listen(stack, "name.example")]
    assert names == ["127.0.0.1", "::1"]


@needs_ipv6
def test_ipv4_and_ipv6_may_share_a_port(stack: ExitStack) -> None:
    (first,) = listen(stack, "127.0.0.1")
    port = first.getsockname()[1]
    (second,) = listen(stack, "::1", port)
    assert second.getsockname()[1] == port


def test_a_port_that_is_taken_leaves_nothing_open(stack: ExitStack) -> None:
    (first,) = listen(stack, "127.0.0.1")
    before = open_descriptors()
    for host in ("127.0.0.1", None):
        with pytest.raises(OSError, match="Address already in use") as caught:
            listen(stack, host, first.getsockname()[1])
        assert caught.value.errno == errno.EADDRINUSE
    assert open_descriptors() == before


def test_a_restart_finds_its_port_free(stack: ExitStack) -> None:
    (sock,) = listen(stack, "127.0.0.1")
    address = sock.getsockname()
    with socket.create_connection(address):
        accepted, _ = sock.accept()
        # The side that closes first, cleanly, keeps the port in TIME_WAIT.
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes(8))
        accepted.close()
    sock.close()
    assert listen(stack, "127.0.0.1", address[1])


def test_a_unix_socket_is_for_its_owner_only(tmp_path: Path, stack: ExitStack) -> None:
    path = tmp_path / "socket"
    umask = os.umask(0o022)
    os.umask(umask)
    sock = stack.enter_context(unix_listener(str(path), 16))
    assert sock.gettimeout() == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.umask(umask) == umask


def test_a_socket_that_a_dead_process_left_is_replaced(tmp_path: Path, stack: ExitStack) -> None:
    path = str(tmp_path / "socket")
    unix_listener(path, 16).close()
    assert Path(path).is_socket()
    stack.enter_context(unix_listener(path, 16))
    client = stack.enter_context(socket.socket(socket.AF_UNIX))
    client.connect(path)


def test_a_socket_that_somebody_listens_on_is_left_alone(tmp_path: Path, stack: ExitStack) -> None:
    path = str(tmp_path / "socket")
    stack.enter_context(unix_listener(path, 16))
    with pytest.raises(OSError, match="Address already in use"):
        unix_listener(path, 16)
    client = stack.enter_context(socket.socket(socket.AF_UNIX))
    client.connect(path)


def test_a_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("precious")
    with pytest.raises(OSError, match="not a socket") as caught:
        unix_listener(str(path), 16)
    assert caught.value.errno == errno.EADDRINUSE
    assert path.read_text() == "precious"


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        unix_listener(str(tmp_path / "absent" / "socket"), 16)


def test_permissions_are_set_before_anybody_can_connect(
    tmp_path: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "socket"
    seen = []

    def permit(path: str, permissions: Permissions) -> None:
        with socket.socket(socket.AF_UNIX) as client, pytest.raises(ConnectionRefusedError):
            client.connect(path)
        seen.append((stat.S_IMODE(Path(path).stat().st_mode), permissions.mode))

    monkeypatch.setattr("spliceproxy.kernel.listening.permit", permit)
    stack.enter_context(unix_listener(str(path), 16, Permissions(0o666)))
    assert seen == [(0o600, 0o666)]


def test_nothing_is_left_when_permissions_cannot_be_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def chown(*_: object) -> None:
        raise PermissionError(errno.EPERM, "no")

    monkeypatch.setattr(os, "chown", chown)
    before = open_descriptors()
    with pytest.raises(PermissionError):
        unix_listener(str(tmp_path / "socket"), 16, Permissions(uid=0))
    assert list(tmp_path.iterdir()) == []
    assert open_descriptors() == before


def test_an_open_listener_can_be_adjusted(stack: ExitStack) -> None:
    sock = stack.enter_context(listen_tcp(socket.AF_INET, ("127.0.0.1", 0), 16, 5.0))
    for timeout_s in (7.0, 0.0):
        adjust(sock, 5, timeout_s)
        timeout_ms = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        assert timeout_ms == timeout_s * 1000


def test_what_can_be_listened_on(tmp_path: Path, stack: ExitStack) -> None:
    tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    unix = stack.enter_context(unix_listener(str(tmp_path / "socket"), 16))
    assert is_listening_stream(tcp.fileno())
    assert is_listening_stream(unix.fileno())
    idle = stack.enter_context(socket.socket())
    udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    packets = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
    packets.bind(str(tmp_path / "packets"))
    packets.listen()
    null = os.open(os.devnull, os.O_RDONLY)
    stack.callback(os.close, null)
    for fd in (idle.fileno(), udp.fileno(), packets.fileno(), null, 9999):
        assert not is_listening_stream(fd)
