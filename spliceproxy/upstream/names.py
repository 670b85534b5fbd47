"""What names stand for: by the system's resolver, or by name servers of the settings."""

from functools import cached_property
from typing import TYPE_CHECKING

from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.settings.address import Address, TcpAddress
from spliceproxy.settings.dns import DnsSettings, SrvAddress
from spliceproxy.upstream.resolve import needs_lookup, resolve
from spliceproxy.upstream.srv_target import SrvTarget

if TYPE_CHECKING:
    from spliceproxy.upstream.dns import NameServers


class Names:
    """Looks names up. Blocks: for a thread, or before there is anything to hold up."""

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
