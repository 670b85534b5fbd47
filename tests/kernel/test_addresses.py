"""Socket addresses as the log writes them, and the one that a socket shares with itself."""

import socket
from pathlib import Path

import pytest

from spliceproxy.kernel import addresses
from spliceproxy.kernel.addresses import SocketAddress, name_listener, name_peer, split_port


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (("192.0.2.1", 5), "192.0.2.1:5"),
        (("2001:db8::1", 5, 0, 0), "[2001:db8::1]:5"),
        (("::ffff:192.0.2.1", 5, 0, 0), "192.0.2.1:5"),
        (("::ffff:0:1", 5, 0, 0), "[::ffff:0:1]:5"),
        (("::", 8080, 0, 0), "[::]:8080"),
        ("", "unix"),
        ("/run/client", "unix"),
    ],
)
def test_peers(address: object, name: str) -> None:
    assert name_peer(address) == name


@pytest.mark.parametrize(
    ("name", "host", "port"),
    [
        ("192.0.2.1:5", "192.0.2.1", "5"),
        ("[2001:db8::1]:5", "2001:db8::1", "5"),
        ("[fe80::1%eth0]:5", "fe80::1%eth0", "5"),
        ("192.0.2.1", "192.0.2.1", ""),
        ("[2001:db8::1]", "2001:db8::1", ""),
        ("2001:db8::1", "2001:db8::1", ""),
        ("unix", "unix", ""),
        ("", "", ""),
    ],
)
def test_a_port_is_cut_off(name: str, host: str, port: str) -> None:
    assert split_port(name) == (host, port)


def test_listeners(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        assert name_listener(sock) == f"127.0.0.1:{sock.getsockname()[1]}"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "socket"))
        assert name_listener(sock) == f"unix:{tmp_path}/socket"


def test_a_socket_that_met_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "_LOWEST_LOCAL_PORT", 1024)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        name = sock.getsockname()
        sock.connect(name)  # a simultaneous open, with nobody else
        assert SocketAddress(socket.AF_INET, name, "itself").is_own(sock)
        other = (name[0], name[1] - 1)
        assert not SocketAddress(socket.AF_INET, other, "another").is_own(sock)


def test_a_unix_socket_never_meets_itself() -> None:
    near, far = socket.socketpair()
    with near, far:
        assert not SocketAddress(socket.AF_UNIX, "/run/socket", "unix:/run/socket").is_own(near)
