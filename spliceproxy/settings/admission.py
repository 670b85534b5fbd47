"""The settings that decide who is let in, how often, and how many bytes pass."""

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from spliceproxy.policy.networks import AccessList
from spliceproxy.settings.bandwidth import BandwidthSettings
from spliceproxy.settings.bounds import count_up_to
from spliceproxy.settings.fields import ConnectionCount, choice, described, reads
from spliceproxy.settings.model import Model
from spliceproxy.settings.network import Networks
from spliceproxy.settings.rate import RateSettings
from spliceproxy.settings.shapes import Shorthand

RateField = Annotated[RateSettings, Shorthand("limit")]


def _prefix(most: int) -> list[Any]:
    kind = {"type": "integer", "minimum": 1, "maximum": most}
    return [reads(count_up_to(most)), described("number of bits", kind)]


class PerClientSettings(Model):
    """What a single client may have: an address, or a network that counts as one client."""

    max_connections: ConnectionCount | None = Field(
        default=None, description="Open connections of a client, in all workers together."
    )
    rate: RateField | None = Field(
        default=None, description="New connections of a client, in all workers together."
    )
    ipv4_prefix: Annotated[int, *_prefix(32)] = Field(
        default=32, description="IPv4 addresses that have so many bits in common are one client."
    )
    ipv6_prefix: Annotated[int, *_prefix(128)] = Field(
        default=64,
        description="The same for IPv6. A single host has a network of 64 bits to itself, a site "
        "often one of 56 or 48.",
    )


class AdmissionSettings(Model):
    """Who is let in to a route that accepts, and how many bytes pass on one that forwards."""

    allow: Networks = Field(
        default=(),
        description="Networks whose clients are let in; all others are refused. The narrowest "
        "network of `allow` and `deny` that a client is in decides.",
    )
    deny: Networks = Field(default=(), description="Networks whose clients are refused.")
    unknown_clients: Annotated[Literal["refuse", "admit"], *choice("refuse", "admit")] = Field(
        default="refuse",
        description="What becomes of clients without an IP address where `allow`, `deny` or "
        "`per_client` ask for one: those of unix sockets, and those of whom a PROXY header does "
        "not say where they are. `admit` lets them in past all three.",
    )
    rate: RateField | None = Field(
        default=None,
        description="New connections of the route, in all workers together; above it they wait "
        "in the backlog.",
    )
    per_client: PerClientSettings = Field(
        default=PerClientSettings(), description="What a single client may have; more is refused."
    )
    bandwidth: BandwidthSettings = Field(
        default=BandwidthSettings(), description="How many bytes pass, in each direction."
    )

    @field_validator("deny")
    @classmethod
    def _is_no_contradiction(cls, deny: Networks, info: ValidationInfo) -> Networks:
        try:
            AccessList(info.data.get("allow", ()), deny)
        except ValueError as problem:
            raise ValueError(f"{problem}: expected it once") from None
        return deny
