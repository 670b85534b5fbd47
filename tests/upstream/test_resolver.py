"""Names to socket addresses."""

import socket

import pytest

from spliceproxy.errors import StartProblem
from spliceproxy.settings.address import Address, TcpAddress, UnixAddress
from spliceproxy.upstream.resolver import needs_lookup, resolve


@pytest.mark.parametrize(
    ("address", "needed"),
    [
        (TcpAddress("example.org", 80), True),
        (TcpAddress("localhost", 80), True),
        (TcpAddress("192.0.2.1", 80), False),
        (TcpAddress("2001:db8::1", 80), False),
        (TcpAddress("fe80::1%lo", 80), False),
        (UnixAddress("/run/socket"), False),
    ],
)
def test_only_names_are_looked_up_again(address: Address, needed: bool) -> None:
    assert needs_lookup(address) is needed


def test_an_address_is_itself() -> None:
    (found,) = resolve(TcpAddress("127.0.0.1", 80))
    assert (found.family, found.sockaddr) == (socket.AF_INET, ("127.0.0.1", 80))
    assert found.name == "127.0.0.1:80"


def test_an_ipv6_address_is_itself() -> None:
    (found,) = resolve(TcpAddress("::1", 80))
    assert (found.family, found.sockaddr) == (socket.AF_INET6, ("::1", 80, 0, 0))
    assert found.name == "[::1]:80"


def test_a_unix_socket_is_itself() -> None:
    (found,) = resolve(UnixAddress("/run/socket"))
    assert (found.family, found.sockaddr) == (socket.AF_UNIX, "/run/socket")
    assert found.name == "unix:/run/socket"


def test_a_name_is_all_its_addresses_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2001:db8::1", 80, 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.2", 80)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 80)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    names = [address.name for address in resolve(TcpAddress("name.example", 80))]
    assert names == ["[2001:db8::1]:80", "192.0.2.2:80", "192.0.2.1:80"]


@pytest.mark.parametrize("error", [socket.gaierror(-2, "Name or service not known"), OSError(5)])
def test_a_name_that_does_not_resolve(error: OSError, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(StartProblem, match=r"name\.example:80 does not resolve"):
        resolve(TcpAddress("name.example", 80))


def test_a_name_that_cannot_be_encoded() -> None:
    with pytest.raises(StartProblem, match="does not resolve"):
        resolve(TcpAddress("a" * 300 + "..example", 80))
