"""The settings of a backend."""

from typing import Annotated, Literal

from pydantic import Field, PlainSerializer, ValidationInfo, field_validator

from spliceproxy.settings.address import UnixAddress
from spliceproxy.settings.bounds import count_up_to
from spliceproxy.settings.dns import PLACE_FORMS, BackendPlaceField, SrvAddress
from spliceproxy.settings.fields import (
    ConnectionCount,
    Flag,
    choice,
    described,
    reads,
)
from spliceproxy.settings.hosts import parse_ip
from spliceproxy.settings.model import Model
from spliceproxy.settings.shapes import Switch
from spliceproxy.settings.tls import TlsDial

MAX_WEIGHT = 256
SendProxy = Literal["v1", "v2"]

Weight = Annotated[
    int,
    reads(count_up_to(MAX_WEIGHT)),
    described("number", {"type": "integer", "minimum": 1, "maximum": MAX_WEIGHT}),
]
SourceAddress = Annotated[
    str, reads(parse_ip), PlainSerializer(str), described("IP address", {"type": "string"})
]


class BackendSettings(Model):
    """One of a route's backends: where it is, and what it gets."""

    address: BackendPlaceField = Field(
        description=f"{PLACE_FORMS}. The last one stands for all backends that its SRV records "
        "list, each with the weight that it has there."
    )
    weight: Weight = Field(
        default=1, description="Its share of the connections, beside the weights of the others."
    )
    backup: Flag = Field(default=False, description="Use it only when no other one can be reached.")
    max_connections: ConnectionCount | None = Field(
        default=None,
        description="Connections to it from all workers together; above it clients wait in the "
        "`queue`.",
    )
    send_proxy: Annotated[SendProxy | None, *choice("v1", "v2")] = Field(
        default=None, description="Tell it the client's address by the PROXY protocol."
    )
    source: SourceAddress | None = Field(
        default=None,
        description="Connect from this IP address of this machine; of a name's addresses only "
        "those of the same family are used.",
    )
    tls: Annotated[TlsDial | None, Switch()] = Field(
        default=None,
        description="Speak TLS with it: `true`, or a mapping; see [TLS](tls.md).",
    )

    @field_validator("weight")
    @classmethod
    def _check_weight(cls, weight: int, info: ValidationInfo) -> int:
        if isinstance(info.data.get("address"), SrvAddress):
            raise ValueError("the weights of srv: are those of its records: expected none")
        return weight

    @field_validator("source")
    @classmethod
    def _check_source(cls, source: str | None, info: ValidationInfo) -> str | None:
        if source is not None and isinstance(info.data.get("address"), UnixAddress):
            raise ValueError("a unix socket is connected to from no address: expected none")
        return source

    @field_validator("tls")
    @classmethod
    def _check_peer_name(cls, tls: TlsDial | None, info: ValidationInfo) -> TlsDial | None:
        address = info.data.get("address")
        if tls is not None and tls.verify and tls.name is None:
            if isinstance(address, UnixAddress):
                raise ValueError("a unix socket has no name to check: expected `name`")
            if isinstance(address, SrvAddress):
                # Whoever answers for DNS chooses the targets' names (RFC 6125, section 6.5).
                raise ValueError("which names srv: lists is up to DNS: expected `name`")
        return tls
