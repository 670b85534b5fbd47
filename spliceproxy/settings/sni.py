"""What leads a TLS connection to which route."""

from collections.abc import Hashable, Iterator
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from spliceproxy.errors import quote
from spliceproxy.settings.fields import Name, described, reads
from spliceproxy.settings.mirror_entry import MISTAKE
from spliceproxy.settings.model import Model
from spliceproxy.settings.server_name import parse_server_name
from spliceproxy.settings.shapes import OneOrMany

_MAX_PROTOCOL_LENGTH = 255  # RFC 7301


def parse_protocol(text: str) -> str:
    """Return the name of a protocol (ALPN)."""
    if not (text.isascii() and text.isprintable() and 0 < len(text) <= _MAX_PROTOCOL_LENGTH):
        raise ValueError(f"{quote(text)} is not a protocol: expected one such as h2 or http/1.1")
    return text


ServerName = Annotated[str, reads(parse_server_name), described("server name", {"type": "string"})]
Protocol = Annotated[str, reads(parse_protocol), described("protocol", {"type": "string"})]


class SniSettings(Model):
    """Names and protocols, and the route that they lead to."""

    names: Annotated[tuple[ServerName, ...], OneOrMany()] = Field(
        default=(),
        description="Server names: `example.org`, or `*.example.org` for all below it, however "
        "deep. An exact name goes before a wildcard, and a longer wildcard before a shorter one.",
    )
    alpn: Annotated[tuple[Protocol, ...], OneOrMany()] = Field(
        default=(),
        description="Protocols, such as `h2`, for clients whose name leads nowhere. Of several, "
        "the one that the client names first decides.",
    )
    route: Name = Field(description="The route that takes the connection from here.")

    @model_validator(mode="after")
    def _matches_something(self) -> "SniSettings":
        if not self.names and not self.alpn:
            raise ValueError("has neither names nor alpn: expected one of them, or both")
        return self


def _without_duplicates(entries: tuple[SniSettings, ...]) -> tuple[SniSettings, ...]:
    mistakes = list(_duplicates(entries))
    if mistakes:
        raise ValidationError.from_exception_data("sni", mistakes)
    return entries


def _duplicates(entries: tuple[SniSettings, ...]) -> Iterator[InitErrorDetails]:
    first: dict[Hashable, int] = {}
    for index, entry in enumerate(entries):
        for key, values in (("names", entry.names), ("alpn", entry.alpn)):
            for position, value in enumerate(values):
                where = first.get((key, value))
                if where is None:
                    first[key, value] = index
                else:
                    message = f"{quote(value)} is in sni[{where}] already: expected it once"
                    error = PydanticCustomError(MISTAKE, "{message}", {"message": message})
                    yield InitErrorDetails(type=error, loc=(index, key, position), input=value)


SniEntries = Annotated[tuple[SniSettings, ...], OneOrMany(), AfterValidator(_without_duplicates)]
