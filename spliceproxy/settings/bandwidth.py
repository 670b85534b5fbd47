"""How many bytes may pass, as users write it: `10MiB/s`."""

from typing import Annotated

from pydantic import PlainSerializer

from spliceproxy.errors import quote
from spliceproxy.settings.fields import described, reads
from spliceproxy.settings.model import Model, key
from spliceproxy.settings.units import format_size, parse_positive_size


def parse_bandwidth(text: str) -> int:
    """Return bytes a second; ValueError says what is wrong and what is expected."""
    size, slash, time = text.partition("/")
    if not slash or time != "s":
        raise ValueError(f"{quote(text)} is not a bandwidth: expected one such as 10MiB/s")
    return parse_positive_size(size)


Bandwidth = Annotated[
    int,
    reads(parse_bandwidth),
    PlainSerializer(lambda bytes_s: f"{format_size(bytes_s)}/s"),
    described("bandwidth", {"type": "string", "pattern": r"^[0-9.]+\s*([KMGTP]i?)?B?/s$"}),
]


class BandwidthSettings(Model):
    """How many bytes pass in each direction."""

    connection_bytes_s: Bandwidth | None = key(
        "connection", "Of each connection, in each direction.", default=None
    )
    route_bytes_s: Bandwidth | None = key(
        "route",
        "Of all connections of the route in all workers together, in each direction.",
        default=None,
    )
