"""Who is let in: by the network that a client is in, and by what it has had already."""

from spliceproxy.formats.ip import pack_ip
from spliceproxy.policy.client_networks import ClientNetworks
from spliceproxy.policy.networks import AccessList
from spliceproxy.policy.rate import ClientRateLimits, Rate

DENIED = "denied"
NO_CLIENT_ADDRESS = "no_client_address"
CLIENT_LIMIT = "client_limit"
RATE_LIMITED = "rate_limited"

MAX_CLIENTS = 65_536
"""Clients whose rate is kept, the last ones seen; about 10 MB."""


class Admission:
    """Decides about clients by their address, and counts the open connections of each."""

    def __init__(
        self,
        access: AccessList,
        max_per_client: int | None = None,
        rate: Rate | None = None,
        *,
        networks: ClientNetworks | None = None,
        admits_unknown: bool = False,
    ) -> None:
        self._access = access
        self._max_per_client = max_per_client
        self._rates = None if rate is None else ClientRateLimits(rate, MAX_CLIENTS)
        self._client_key = (networks or ClientNetworks()).key
        self._open: dict[bytes, int] = {}
        # What no rule can be held against is not let in past a rule, unless that is wanted.
        has_rule = access.has_networks or max_per_client is not None or rate is not None
        self._refuses_unknown = has_rule and not admits_unknown

    def refuses(self, host: str | None, now_s: float) -> str | None:
        """Let a client in, and count it; otherwise return the reason against it.

        None is the address of a client of whom nobody says where it is.
        """
        if host is None:
            return NO_CLIENT_ADDRESS if self._refuses_unknown else None
        if not self._access.admits(host):
            return DENIED
        if self._max_per_client is None and self._rates is None:
            return None
        key = self._client_key(pack_ip(host))
        count = self._open.get(key, 0)
        if self._max_per_client is not None and count >= self._max_per_client:
            return CLIENT_LIMIT
        if self._rates is not None and not self._rates.admits(key, now_s):
            return RATE_LIMITED
        if self._max_per_client is not None:
            self._open[key] = count + 1
        return None

    def left(self, host: str) -> None:
        """Note that a connection that was let in has ended."""
        if self._max_per_client is not None:
            key = self._client_key(pack_ip(host))
            count = self._open.pop(key)
            if count > 1:
                self._open[key] = count - 1
