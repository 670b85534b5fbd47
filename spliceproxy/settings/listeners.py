"""Which listeners cannot be open at the same time."""

from collections.abc import Iterable

from spliceproxy.settings.address import TcpAddress
from spliceproxy.settings.listen_address import ListenAddress, SystemdAddress

_EVERY_IPV4, _EVERY_IPV6 = "0.0.0.0", "::"  # noqa: S104 - compared, not listened on
_WILDCARDS = (None, _EVERY_IPV4, _EVERY_IPV6)


def find_duplicate(listen: Iterable[ListenAddress]) -> ListenAddress | None:
    """Return the first address that is listed twice; port 0 is another port each time."""
    seen: set[ListenAddress] = set()
    for address in listen:
        if address in seen and not (isinstance(address, TcpAddress) and address.port == 0):
            return address
        seen.add(address)
    return None


class TakenAddresses:
    """Addresses that have listeners, each with the name of whose it is."""

    def __init__(self) -> None:
        self._others: dict[ListenAddress, str] = {}
        self._ports: dict[int, dict[str | None, str]] = {}

    def take(self, address: ListenAddress, owner: str) -> str | None:
        """Return who has taken the address, or one that covers it, before; take it if nobody."""
        if not isinstance(address, TcpAddress):
            other = self._find_other(address)
            self._others.setdefault(address, owner)
            return other
        if address.port == 0:
            return None
        hosts = self._ports.setdefault(address.port, {})
        other = _find(address.host, hosts)
        hosts.setdefault(address.host, owner)
        return other

    def _find_other(self, address: ListenAddress) -> str | None:
        if address in self._others or not isinstance(address, SystemdAddress):
            return self._others.get(address)
        everything = SystemdAddress(None)
        return next(
            (
                owner
                for other, owner in self._others.items()
                if isinstance(other, SystemdAddress) and everything in (address, other)
            ),
            None,
        )


def _find(host: str | None, hosts: dict[str | None, str]) -> str | None:
    for same in (host, *_covering(host)):
        if same in hosts:
            return hosts[same]
    if host in _WILDCARDS:
        return next((owner for one, owner in hosts.items() if host in _covering(one)), None)
    return None


def _covering(host: str | None) -> tuple[str | None, ...]:
    """Hosts that stand for this one too. A name may be of either family: nobody knows yet."""
    if host is None:
        return ()
    if host in (_EVERY_IPV4, _EVERY_IPV6):
        return (None,)
    if ":" in host:
        return (_EVERY_IPV6, None)
    return (_EVERY_IPV4, None) if host[-1].isdigit() else (None,)
