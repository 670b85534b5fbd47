"""The settings of the admin interface."""

from typing import Annotated

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationInfo,
    field_validator,
    model_validator,
)

from spliceproxy.settings import help_texts
from spliceproxy.settings.address import UnixAddress
from spliceproxy.settings.admin_access import (
    LEAST_TOKEN_LENGTH,
    check_exposure,
    check_tokens,
    parse_operator,
    parse_token,
)
from spliceproxy.settings.attach_grants import (
    DEFAULT_GRANTS,
    GRANT_FORMS,
    AttachGrant,
    parse_grant,
)
from spliceproxy.settings.fields import Flag, described, reads
from spliceproxy.settings.listen import ListenSettings
from spliceproxy.settings.listen_address import LISTEN_FORMS, ListenAddress
from spliceproxy.settings.model import Model
from spliceproxy.settings.shapes import OneOrMany, Shorthand
from spliceproxy.settings.tls import ClientRules

_SECRET = described("secret", {"type": "string", "minLength": LEAST_TOKEN_LENGTH})


# Hidden each behind a text of its own, so that what is shown can be read again.
Token = Annotated[str, reads(parse_token), PlainSerializer(lambda _: "(secret-not-shown)"), _SECRET]
ViewerToken = Annotated[
    str, reads(parse_token), PlainSerializer(lambda _: "(viewer-secret-not-shown)"), _SECRET
]
_Operator = Annotated[
    str,
    reads(parse_operator),
    described("user, or group:NAME", {"type": "string"}, {"type": "integer"}),
]
_Grant = Annotated[
    AttachGrant,
    reads(parse_grant),
    # A bare `null` in a list is YAML's word for nothing, and meant as the mirror here.
    BeforeValidator(lambda value: "null" if value is None else value),
    PlainSerializer(str),
    described(GRANT_FORMS, {"type": "string"}, {"type": "null"}),
]


class AdminSettings(Model):
    """Where to ask the proxy what it is doing, and to give it orders; and who may."""

    listen: Annotated[tuple[Annotated[ListenSettings, Shorthand("address")], ...], OneOrMany()] = (
        Field(
            default=(),
            description=f"Where the admin interface listens, once or as a list: {LISTEN_FORMS}. "
            "All but unix sockets need a token.",
        )
    )
    token: Token | None = Field(
        default=None,
        description="The operator's: who brings it along, as `Authorization: Bearer TOKEN`, may "
        "look and give orders.",
    )
    viewer_token: ViewerToken | None = Field(
        default=None, description="The viewer's: who brings it along may look."
    )
    operators: Annotated[tuple[_Operator, ...], OneOrMany()] = Field(
        default=(),
        description="Who else than root and the proxy's own user may give orders by a unix "
        "socket, the statistics socket too: users by name or number, and `group:NAME`.",
    )
    certificate_operators: ClientRules | None = Field(
        default=None,
        description="Who may give orders by the certificate that `tls` of `listen` asks for. "
        "Others that its `clients` lets in may look. Without it: nobody.",
    )
    attach: Annotated[tuple[_Grant, ...], OneOrMany()] = Field(
        default=DEFAULT_GRANTS,
        description=f"Which mirrors operators may attach: {GRANT_FORMS} and what is below it. "
        "With `exec` they run commands as the proxy's user.",
    )
    insecure: Flag = Field(
        default=False,
        description=help_texts.ADMIN_INSECURE,
    )

    @model_validator(mode="after")
    def _is_safe(self) -> "AdminSettings":
        check_tokens(self.token, self.viewer_token)
        check_exposure(self.open_addresses, has_token=self.has_token, insecure=self.insecure)
        return self

    @field_validator("listen")
    @classmethod
    def _knows_unix_clients(cls, listen: tuple[ListenSettings, ...]) -> tuple[ListenSettings, ...]:
        for each in listen:
            if isinstance(each.address, UnixAddress) and each.address.is_abstract:
                raise ValueError(
                    f"{each.address} is open to whoever shares its network namespace: expected "
                    "unix:PATH, whose mode says who may connect"
                )
            if each.tls is not None and isinstance(each.address, UnixAddress):
                raise ValueError(f"{each.address} has no TLS: who its clients are the kernel says")
            if each.tls is not None and each.tls.starttls is not None:
                raise ValueError("HTTP begins with TLS at once: expected no `starttls`")
        return listen

    @field_validator("certificate_operators")
    @classmethod
    def _asks_for_certificates(
        cls, rules: ClientRules | None, info: ValidationInfo
    ) -> ClientRules | None:
        listen = info.data.get("listen")
        asks = listen is None or any(each.tls and each.tls.asks_clients for each in listen)
        if rules is not None and not asks:
            raise ValueError("nobody is asked for a certificate: expected `client_ca` in `tls`")
        return rules

    @property
    def open_addresses(self) -> list[ListenAddress]:
        """Those whose clients need no certificate."""
        return [
            each.address
            for each in self.listen
            if each.tls is None or not each.tls.requires_certificate
        ]

    @property
    def has_token(self) -> bool:
        """Whether a stranger can be told from somebody who may look."""
        return self.token is not None or self.viewer_token is not None
