"""Which connections of a capture are replayed."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address

from spliceproxy.formats.ip import pack_ip
from spliceproxy.kernel.addresses import split_port
from spliceproxy.policy.sampling import sampled


@dataclass(frozen=True, slots=True)
class ConnectionFilter:
    """All that is given must fit."""

    from_ns: int = 0
    """Begun then or later, since 1970."""
    until_ns: int | None = None
    """Begun before."""
    routes: tuple[str, ...] = ()
    clients: tuple[IPv4Network | IPv6Network, ...] = ()
    sample: float = 1.0
    """Fraction of the clients; the same ones on each machine, and in each larger sample."""

    def is_in_time(self, began_ns: int) -> bool:
        """Whether it has begun within the times."""
        return self.from_ns <= began_ns and (self.until_ns is None or began_ns < self.until_ns)

    def wants(self, facts: Mapping[str, object]) -> bool:
        """Whether route and client fit; what a mirror's peer has answered asks for nothing."""
        if facts.get("mirror"):
            return False
        if self.routes and facts.get("route") not in self.routes:
            return False
        host = split_port(str(facts.get("client", "")))[0]
        if self.clients and not self._has_client(host):
            return False
        return self.sample >= 1 or sampled(host.encode(), self.sample, b"")

    def _has_client(self, host: str) -> bool:
        try:
            address = ip_address(pack_ip(host))
        except ValueError:  # it came by a unix socket
            return False
        return any(address in network for network in self.clients)

    def describe(self) -> str:
        """Return a text that is the same for the same filter."""
        clients = [str(network) for network in self.clients]
        parts = (self.from_ns, self.until_ns, sorted(self.routes), sorted(clients), self.sample)
        return repr(parts)
