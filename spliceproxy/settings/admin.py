"""The settings of the admin interface."""

from typing import Annotated

from pydantic import Field, PlainSerializer, model_validator

from spliceproxy.settings.admin_access import LEAST_TOKEN_LENGTH, check_exposure, parse_token
from spliceproxy.settings.fields import described, reads
from spliceproxy.settings.listen import ListenSettings
from spliceproxy.settings.listen_address import LISTEN_FORMS
from spliceproxy.settings.model import Model
from spliceproxy.settings.shapes import OneOrMany, Shorthand

Token = Annotated[
    str,
    reads(parse_token),
    PlainSerializer(lambda _: "(secret-not-shown)"),
    described("secret", {"type": "string", "minLength": LEAST_TOKEN_LENGTH}),
]


class AdminSettings(Model):
    """Where to ask the proxy what it is doing, and to give it orders."""

    listen: Annotated[tuple[Annotated[ListenSettings, Shorthand("address")], ...], OneOrMany()] = (
        Field(
            default=(),
            description=f"Where the admin interface listens, once or as a list: {LISTEN_FORMS}. "
            "An address that can be reached from elsewhere needs a token.",
        )
    )
    token: Token | None = Field(
        default=None,
        description="What each request must bring along: `Authorization: Bearer TOKEN`.",
    )

    @model_validator(mode="after")
    def _is_safe(self) -> "AdminSettings":
        check_exposure([listen.address for listen in self.listen], self.token)
        return self
