"""Whether a connect reaches a listening socket: what is said is what connecting shows."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.kernel.listening import listen_everywhere, listen_tcp, listen_unix
from spliceproxy.kernel.own_addresses import bound_address, is_local, reaches
from tests.streams import needs_ipv6


def everywhere() -> socket.socket:
    return listen_everywhere(0, 16, 0.0)


def at(host: str) -> Callable[[], socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return lambda: listen_tcp(family, (host, 0), 16, 0.0)


def connects(target: SocketAddress) -> bool:
    with socket.socket(target.family) as client:
        try:
            client.connect(target.sockaddr)
        except OSError:
            return False
        return True


@needs_ipv6
@pytest.mark.parametrize(
    "listen",
    [everywhere, *map(at, ("0.0.0.0", "::", "127.0.0.1", "127.0.0.2", "::1"))],
    ids=["everywhere", "every IPv4", "every IPv6", "127.0.0.1", "127.0.0.2", "::1"],
)
@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::"],
)
def test_what_is_said_is_what_connecting_shows(
    listen: Callable[[], socket.socket], host: str
) -> None:
    with listen() as sock:
        bound = bound_address(sock)
        assert bound is not None
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        target = SocketAddress(family, (host, bound.port), host)
        assert reaches(target, bound) == connects(target)
        assert not reaches(SocketAddress(family, (host, bound.port ^ 1), host), bound)


def test_unix_sockets_by_any_path(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("socket")
    with listen_unix(str(tmp_path / "socket"), 16)[0] as sock:
        bound = bound_address(sock)
        assert bound is not None
        for name, reached in (("socket", True), ("link", True), ("other", False)):
            target = SocketAddress(socket.AF_UNIX, str(tmp_path / name), name)
            assert reaches(target, bound) == reached == connects(target)


def test_addresses_of_this_machine() -> None:
    assert is_local("127.0.0.1")
    assert not is_local("192.0.2.1")
