"""Names to socket addresses."""

import ipaddress
import socket

from spliceproxy.errors import StartProblem
from spliceproxy.kernel.addresses import SocketAddress, name_peer
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
