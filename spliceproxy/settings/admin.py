"""The settings of the admin interface."""

from typing import Annotated

from pydantic import Field, PlainSerializer, model_validator

from spliceproxy.settings.address import BOUND_FORMS
from spliceproxy.settings.admin_access import LEAST_TOKEN_LENGTH, check_reach, parse_token
from spliceproxy.settings.fields import BoundAddress, described, reads
from spliceproxy.settings.model import Model
from spliceproxy.settings.shapes import OneOrMany

Token = Annotated[
    str,
    reads(parse_token),
    PlainSerializer(lambda _: "(secret-not-shown)"),
    described("secret", {"type": "string", "minLength": LEAST_TOKEN_LENGTH}),
]


class AdminSettings(Model):
    """Where to ask the proxy what it is doing, and to give it orders."""

    listen: Annotated[tuple[BoundAddress, ...], OneOrMany()] = Field(
        default=(),
        description=f"Where the admin interface listens, once or as a list: {BOUND_FORMS}. "
        "A unix socket has mode 0600; an address that can be reached from elsewhere needs a token.",
    )
    token: Token | None = Field(
        default=None,
        description="What each request must bring along: `Authorization: Bearer TOKEN`.",
    )

    @model_validator(mode="after")
    def _is_safe(self) -> "AdminSettings":
        check_reach(self.listen, self.token)
        return self
