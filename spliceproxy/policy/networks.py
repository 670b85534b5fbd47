"""What holds for an address by the networks that it is in; who is let in."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network
from typing import Generic, TypeVar

from spliceproxy.formats.ip import pack_ip

Value = TypeVar("Value")
Network = IPv4Network | IPv6Network
_MAPPED = IPv6Network("::ffff:0:0/96")


class NetworkTable(Generic[Value]):
    """A value for each network; the narrowest network that an address is in decides.

    IPv4 addresses mapped into IPv6 count as IPv4, networks of them likewise.
    """

    def __init__(self, values: Mapping[Network, Value], default: Value) -> None:
        by_size: dict[int, dict[Network, Value]] = {4: {}, 16: {}}
        for given, value in values.items():
            network = _unmapped(given)
            same_size = by_size[network.max_prefixlen // 8]
            if same_size.setdefault(network, value) != value:
                raise ValueError(f"{network} has two values")
        self._edges = {size: _flatten(table, default, size) for size, table in by_size.items()}

    def lookup(self, host: str) -> Value:
        """Return the value for an address as the socket module writes it."""
        packed = pack_ip(host)
        starts, values = self._edges[len(packed)]
        return values[bisect_right(starts, packed) - 1]


class AccessList:
    """Who is let in: by the narrowest network; if none matches, all unless some are allowed."""

    def __init__(self, allow: Iterable[Network] = (), deny: Iterable[Network] = ()) -> None:
        allowed = {_unmapped(network) for network in allow}
        denied = [_unmapped(network) for network in deny]
        for network in denied:
            if network in allowed:
                raise ValueError(f"{network} is both allowed and denied")
        verdicts = dict.fromkeys(allowed, True) | dict.fromkeys(denied, False)
        self.has_networks = bool(verdicts)
        """Whether it makes a difference where a client is."""
        self._table = NetworkTable(verdicts, not allowed)

    def admits(self, host: str) -> bool:
        """Tell whether a client with that address is let in."""
        return self._table.lookup(host)


def _unmapped(network: Network) -> Network:
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        return IPv4Network((network.network_address.packed[12:], network.prefixlen - 96))
    return network


def _flatten(
    values: Mapping[Network, Value], default: Value, size: int
) -> tuple[list[bytes], list[Value]]:
    """Return where the value changes along the line of addresses, and to what.

    Networks are apart or one inside the other, so those that an address is in form a stack.
    """
    changes: dict[int, Value] = {0: default}
    inside: list[tuple[int, Value]] = [(1 << 8 * size, default)]  # where it ends, its value
    for network in sorted(values, key=lambda each: (int(each.network_address), each.prefixlen)):
        first = int(network.network_address)
        _leave(inside, first, changes)
        changes[first] = values[network]
        inside.append((first + network.num_addresses, values[network]))
    _leave(inside, 1 << 8 * size, changes)
    return [start.to_bytes(size) for start in changes], list(changes.values())


def _leave(inside: list[tuple[int, Value]], until: int, changes: dict[int, Value]) -> None:
    while len(inside) > 1 and inside[-1][0] <= until:
        end, _ = inside.pop()
        if end < inside[0][0]:  # there is no address after the last one
            changes[end] = inside[-1][1]
