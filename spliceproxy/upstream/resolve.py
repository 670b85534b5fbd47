"""Names to socket addresses."""

import ipaddress
import os
import socket

from spliceproxy.errors import StartProblem
from spliceproxy.kernel.addresses import SocketAddress, family_of, name_peer
from spliceproxy.kernel.sockets import bind_source
from spliceproxy.settings.address import Address, UnixAddress


def needs_lookup(address: Address) -> bool:
    """Whether the address holds a name, whose meaning may change."""
    if isinstance(address, UnixAddress):
        return False
    try:
        ipaddress.ip_address(address.host or "")
    except ValueError:
        return True
    return False


def check_source(ip: str | None) -> None:
    """Make sure that connections can come from this address, if one is given.

    Raises:
        StartProblem: no interface of this machine has it.
    """
    if ip is None:
        return
    try:
        with socket.socket(family_of(ip), socket.SOCK_STREAM) as sock:
            bind_source(sock, ip)
    except OSError as error:
        raise StartProblem(
            f"cannot connect from the source {ip} ({os.strerror(error.errno or 0)})",
            "give an address of this machine (ip address)",
        ) from error


def resolve(address: Address) -> tuple[SocketAddress, ...]:
    """All addresses of a backend, in the order of getaddrinfo(3), which is RFC 6724's.

    Blocks for as long as the system's resolver does.

    Raises:
        StartProblem: the name does not resolve.
    """
    if isinstance(address, UnixAddress):
        return (SocketAddress(socket.AF_UNIX, address.path, str(address)),)
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise StartProblem(
            f"{address} does not resolve ({error})",
            "check the name, or give an address",
        ) from error
    return tuple(
        SocketAddress(family, sockaddr, name_peer(sockaddr))  # type: ignore[arg-type]  # AF_PACKET's
        for family, _, _, _, sockaddr in found
    )
