"""Who is let in: by the network that a client is in, and by what it has had already."""

from typing import Protocol

from spliceproxy.formats.ip import pack_ip
from spliceproxy.policy.client_networks import ClientNetworks
from spliceproxy.policy.networks import AccessList
from spliceproxy.policy.rate import ClientRateLimits

DENIED = "denied"
NO_CLIENT_ADDRESS = "no_client_address"
CLIENT_LIMIT = "client_limit"
RATE_LIMITED = "rate_limited"


class Connections(Protocol):
    """Counts the open connections of each client."""

    def total(self, client: bytes) -> int:
        """Return how many it has."""

    def opened(self, client: bytes) -> None:
        """Count one more."""

    def closed(self, client: bytes) -> None:
        """Count one less."""


class Admission:
    """Decides about clients by their address, and by what each of them has."""

    def __init__(
        self,
        access: AccessList,
        max_per_client: int = 0,
        connections: Connections | None = None,
        rates: ClientRateLimits | None = None,
        *,
        networks: ClientNetworks | None = None,
        admits_unknown: bool = False,
    ) -> None:
        """With `connections` a client may have `max_per_client` of them."""
        self._access = access
        self._max_per_client = max_per_client
        self._connections = connections
        self._rates = rates
        self._client_key = (networks or ClientNetworks()).key
        # What no rule can be held against is not let in past a rule, unless that is wanted.
        has_rule = access.has_networks or connections is not None or rates is not None
        self._refuses_unknown = has_rule and not admits_unknown

    def refuses(self, host: str | None, now_s: float) -> str | None:
        """Let a client in, and count it; otherwise return the reason against it.

        None is the address of a client of whom nobody says where it is.
        """
        if host is None:
            return NO_CLIENT_ADDRESS if self._refuses_unknown else None
        if not self._access.admits(host):
            return DENIED
        connections = self._connections
        if connections is None and self._rates is None:
            return None
        key = self._client_key(pack_ip(host))
        if connections is not None and connections.total(key) >= self._max_per_client:
            return CLIENT_LIMIT
        if self._rates is not None and not self._rates.admits(key, now_s):
            return RATE_LIMITED
        if connections is not None:
            connections.opened(key)
        return None

    def left(self, host: str) -> None:
        """Note that a connection that was let in has ended."""
        if self._connections is not None:
            self._connections.closed(self._client_key(pack_ip(host)))
