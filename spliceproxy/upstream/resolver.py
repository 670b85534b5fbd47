"""Names to socket addresses: by the system's resolver, or by name servers of the settings."""

import ipaddress
import socket
from functools import cached_property
from typing import TYPE_CHECKING

from spliceproxy.errors import StartProblem
from spliceproxy.kernel.addresses import SocketAddress, name_peer
from spliceproxy.settings.address import Address, TcpAddress, UnixAddress
from spliceproxy.settings.dns import DnsSettings, SrvAddress
from spliceproxy.upstream.srv_target import SrvTarget

if TYPE_CHECKING:
    from spliceproxy.upstream.dns import NameServers


class Resolver:
    """Looks backends' names up. Blocks: for a thread, or before there is anything to hold up."""

    def __init__(self, settings: DnsSettings) -> None:
        self._settings = settings

    @cached_property
    def _servers(self) -> "NameServers":
        # Late: most proxies ask no name server themselves, and need not wait for dnspython.
        from spliceproxy.upstream.dns import NameServers

        return NameServers(self._settings.servers)

    def find(self, address: Address) -> tuple[tuple[SocketAddress, ...], float | None]:
        """Return what an address stands for, and for how many seconds; None: nobody knows.

        Raises:
            StartProblem: it does not resolve.
        """
        if self._settings.servers and isinstance(address, TcpAddress) and needs_lookup(address):
            return self._servers.find_addresses(address)
        return resolve(address), None

    def find_targets(self, address: SrvAddress) -> tuple[list[SrvTarget], float]:
        """Return the backends that a name lists, and for how many seconds.

        Raises:
            StartProblem: it does not resolve.
        """
        return self._servers.find_targets(address)


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
        return (SocketAddress(socket.AF_UNIX, address.sun_path, str(address)),)
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
