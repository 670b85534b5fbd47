"""Where names are looked up, and backends that DNS lists."""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, PlainSerializer

from spliceproxy.errors import quote
from spliceproxy.settings.address import BACKEND_FORMS, Address, TcpAddress, parse_backend
from spliceproxy.settings.fields import described, reads
from spliceproxy.settings.hosts import check_host, parse_ip
from spliceproxy.settings.model import Model
from spliceproxy.settings.shapes import OneOrMany

SRV_PREFIX = "srv:"
PLACE_FORMS = f"{BACKEND_FORMS.replace(' or ', ', ')} or srv:_SERVICE._tcp.NAME"
DNS_PORT = 53
_PORT = re.compile(r"(\[?)(.*?)(\]?):([0-9]{1,5})", re.ASCII)


@dataclass(frozen=True, slots=True)
class SrvAddress:
    """A name whose SRV records list backends (RFC 2782)."""

    name: str

    def __str__(self) -> str:
        return SRV_PREFIX + self.name


BackendPlace = Address | SrvAddress


def parse_backend_place(text: str) -> BackendPlace:
    """Return where a backend is, or where it is listed; ValueError says what is wrong."""
    if not text.startswith(SRV_PREFIX):
        return parse_backend(text)
    name = check_host(text.removeprefix(SRV_PREFIX))
    labels = name.split(".")
    if len(labels) < 3 or not labels[0].startswith("_") or labels[1] != "_tcp":
        raise ValueError(
            f"{quote(text)} names no service: expected srv:_SERVICE._tcp.NAME, as in "
            "srv:_redis._tcp.example.org"
        )
    return SrvAddress(name)


def parse_dns_server(text: str) -> TcpAddress:
    """Return the IP address and port of a name server; without a port it is 53."""
    match = _PORT.fullmatch(text)
    if match and bool(match[1]) == bool(match[3]) == (":" in match[2]):
        host, port = match[2], int(match[4])
    else:
        host, port = text, DNS_PORT
    if not 1 <= port <= 65535:
        raise ValueError(f"the port of {quote(text)} is out of range: expected 1 to 65535")
    return TcpAddress(parse_ip(host), port)


BackendPlaceField = Annotated[
    BackendPlace,
    reads(parse_backend_place),
    PlainSerializer(str),
    described("address", {"type": "string"}),
]
DnsServer = Annotated[
    TcpAddress,
    reads(parse_dns_server),
    PlainSerializer(str),
    described("IP[:PORT]", {"type": "string"}),
]


class DnsSettings(Model):
    """How backends' names are looked up."""

    servers: Annotated[tuple[DnsServer, ...], OneOrMany()] = Field(
        default=(),
        description="Name servers to ask, IP[:PORT], in this order. Without any: the system's "
        "resolver, which also knows /etc/hosts.",
    )
