"""The settings of the preamble: how a route reads the beginning of what it accepts."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from spliceproxy.settings.fields import choice
from spliceproxy.settings.model import Model
from spliceproxy.settings.network import Networks
from spliceproxy.settings.sni import SniEntries


class PreambleSettings(Model):
    """Who is before this proxy, and where connections go by what they begin with."""

    trusted: Networks = Field(
        default=(),
        description="Networks of the proxies that `accept_proxy` believes; whoever else connects "
        "is refused. A unix socket's clients are believed: its mode says who may connect.",
    )
    accept_proxy: Annotated[Literal["required"], *choice("required")] | None = Field(
        default=None,
        validate_default=True,
        description="`required`: each connection begins with a PROXY protocol header, of version "
        "1 or 2, that tells the client's address.",
    )
    sni: SniEntries = Field(
        default=(),
        description="Which connections go to which other route, by the TLS client's hello. What "
        "matches nothing, or is not TLS, goes to `backends`; without them it is refused.",
    )

    @field_validator("accept_proxy")
    @classmethod
    def _is_complete(cls, accept_proxy: str | None, info: ValidationInfo) -> str | None:
        trusted = info.data.get("trusted")
        if accept_proxy is None and trusted:
            raise ValueError("'trusted' has no effect: expected 'accept_proxy: required' with it")
        if accept_proxy is not None and trusted == ():
            raise ValueError(
                "anybody could name any address: expected 'trusted' with it, the networks of the "
                "proxies before this one"
            )
        return accept_proxy
