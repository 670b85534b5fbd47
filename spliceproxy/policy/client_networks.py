"""What a single client is, for whoever counts by client."""

IPV4_BYTES, IPV6_BYTES = 4, 16


class ClientNetworks:
    """Takes all addresses of a network, of so many bits, for one client.

    A single IPv6 host has the 2**64 addresses of its link to come from; a site often has a /56 or
    a /48 (RFC 6177), and what is behind a provider's translation of IPv4 a /24.
    """

    def __init__(self, ipv4_prefix: int = 32, ipv6_prefix: int = 64) -> None:
        self._masks = {
            0: 0,
            IPV4_BYTES: _mask(IPV4_BYTES, ipv4_prefix),
            IPV6_BYTES: _mask(IPV6_BYTES, ipv6_prefix),
        }

    def key(self, packed: bytes) -> bytes:
        """Return what the client with this address, of 4, 16 or no bytes, is known by."""
        size = len(packed)  # kept, so that no IPv4 client is taken for one of IPv6
        return (int.from_bytes(packed) & self._masks[size]).to_bytes(size)


def _mask(size: int, prefix: int) -> int:
    host_bits = 8 * size - prefix
    return (1 << 8 * size) - (1 << host_bits)
