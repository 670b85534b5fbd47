"""IP addresses as bytes."""

import socket

_MAPPED = bytes(10) + b"\xff\xff"  # RFC 4291, section 2.5.5.2


def pack_ip(host: str) -> bytes:
    """Return the 4 or 16 bytes of an address as the socket module writes it.

    An IPv4 address mapped into IPv6, which dual-stack listeners see, is the IPv4 address. A scope
    (``%eth0``) says where an address is, and is left out.

    Raises:
        ValueError: it is not an address.
    """
    try:
        if ":" not in host:
            return socket.inet_pton(socket.AF_INET, host)
        packed = socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
    except (OSError, ValueError):  # the latter for what no C string can hold
        raise ValueError(f"{host!r} is not an IP address") from None
    return packed[12:] if packed.startswith(_MAPPED) else packed


def map_ip(packed: bytes) -> bytes:
    """Return an address as 16 bytes, mapped into IPv6 if it is an IPv4 address."""
    return packed if len(packed) == 16 else _MAPPED + packed
