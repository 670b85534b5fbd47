"""Networks as users write them: `10.0.0.0/8`, `2001:db8::/32`, or a single address."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from pydantic import PlainSerializer

from spliceproxy.errors import quote
from spliceproxy.settings.fields import described, reads
from spliceproxy.settings.shapes import OneOrMany


def parse_network(text: str) -> IPv4Network | IPv6Network:
    """Return a network; ValueError says what is wrong and what is expected."""
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            f"{quote(text)} is not a network: expected one such as 10.0.0.0/8, or an address"
        ) from None
    raise ValueError(f"{quote(text)} is an address within a network: expected {network}")


Network = Annotated[
    IPv4Network | IPv6Network,
    reads(parse_network),
    PlainSerializer(str),
    described("network", {"type": "string"}),
]
Networks = Annotated[tuple[Network, ...], OneOrMany()]
