"""The settings of a listener."""

import re
from typing import Annotated

from pydantic import Field, PlainSerializer, ValidationInfo, field_validator

from spliceproxy.errors import quote
from spliceproxy.settings.accounts import ACCOUNT_PATTERN, parse_account
from spliceproxy.settings.address import UnixAddress
from spliceproxy.settings.fields import described, reads
from spliceproxy.settings.listen_address import LISTEN_FORMS, ListenAddress, parse_listen
from spliceproxy.settings.model import Model
from spliceproxy.settings.shapes import Shorthand
from spliceproxy.settings.tls import TlsListen


def parse_mode(text: str) -> int:
    """Return permission bits, which are written in octal as for chmod(1)."""
    if not re.fullmatch(r"0?[0-7]{3}", text):
        raise ValueError(f"{quote(text)} is not a mode: expected three octal digits, as in '0660'")
    return int(text, 8)


def _write_mode(mode: int | None) -> str | None:
    return None if mode is None else f"{mode:04o}"


_Address = Annotated[
    ListenAddress,
    reads(parse_listen),
    PlainSerializer(str),
    described("address", {"type": "string"}, {"type": "integer", "minimum": 0, "maximum": 65535}),
]
_Mode = Annotated[
    int | None,
    reads(parse_mode),
    PlainSerializer(_write_mode),
    described("mode", {"type": "string", "pattern": "^0?[0-7]{3}$"}, {"type": "integer"}),
]
Account = Annotated[
    str | None,
    reads(parse_account),
    described(
        "name or number",
        {"type": "string", "pattern": f"^({ACCOUNT_PATTERN})$"},
        {"type": "integer"},
    ),
]
"""A user or group, looked up at the start."""


class ListenSettings(Model):
    """Where to accept clients, and who may connect to a unix socket there."""

    address: _Address = Field(description=f"{LISTEN_FORMS}.")
    mode: _Mode = Field(
        default=None,
        description="Of a unix socket's file, in octal and quotes: who may write to it may "
        "connect. Without it: `0600`.",
    )
    owner: Account = Field(
        default=None, description="Of a unix socket's file. Without it: who started the command."
    )
    group: Account = Field(default=None, description="Of a unix socket's file.")
    tls: Annotated[TlsListen | None, Shorthand("certificate")] = Field(
        default=None,
        description="Speak TLS with the clients: a mapping, or the file of the certificate and its "
        "key; see [TLS](tls.md).",
    )

    @field_validator("mode", "owner", "group")
    @classmethod
    def _only_for_unix(cls, value: object, info: ValidationInfo) -> object:
        address = info.data.get("address")
        if value is not None and address is not None and not isinstance(address, UnixAddress):
            raise ValueError(f"has no effect on {address}: expected it with unix:PATH only")
        if value is not None and isinstance(address, UnixAddress) and address.is_abstract:
            raise ValueError(
                f"has no effect on {address}, which has no file: expected it with unix:PATH only"
            )
        return value
