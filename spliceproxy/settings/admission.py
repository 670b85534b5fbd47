"""The settings that decide who is let in, how often, and how many bytes pass."""

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from spliceproxy.policy.networks import AccessList
from spliceproxy.settings.bandwidth import BandwidthSettings
from spliceproxy.settings.fields import ConnectionCount
from spliceproxy.settings.model import Model
from spliceproxy.settings.network import Networks
from spliceproxy.settings.rate import RateSettings
from spliceproxy.settings.shapes import Shorthand

RateField = Annotated[RateSettings, Shorthand("limit")]


class PerClientSettings(Model):
    """What a single client may have; an IPv6 client is its /64 network."""

    max_connections: ConnectionCount | None = Field(
        default=None, description="Open connections of a client, per worker."
    )
    rate: RateField | None = Field(
        default=None, description="New connections of a client, per worker."
    )


class AdmissionSettings(Model):
    """Who is let in to a route that accepts, and how many bytes pass on one that forwards."""

    allow: Networks = Field(
        default=(),
        description="Networks whose clients are let in; all others are refused. The narrowest "
        "network of `allow` and `deny` that a client is in decides.",
    )
    deny: Networks = Field(default=(), description="Networks whose clients are refused.")
    rate: RateField | None = Field(
        default=None,
        description="New connections of the route, per worker; above it they wait in the backlog.",
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
