"""The kinds of values in a routes file: how their text is read, written again, and described.

A text is parsed by the same functions that read the command line. Any other value has been made
by a program, and is checked as it is.
"""

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from spliceproxy.errors import not_known, quote
from spliceproxy.settings.address import Address, parse_backend
from spliceproxy.settings.bounds import (
    MAX_BACKLOG,
    MAX_CONNECTIONS,
    MAX_GENERATIONS,
    MAX_WORKERS,
    parse_backlog,
    parse_drain_timeout,
    parse_hang_timeout,
    parse_max_connections,
    parse_max_generations,
    parse_next_address,
    parse_tcp_user_timeout,
    parse_timeout,
    parse_workers,
)
from spliceproxy.settings.units import format_duration, format_size, parse_positive_size

MAX_NAME_LENGTH = 64
_NAME = r"[A-Za-z][A-Za-z0-9_.-]*"
ENVIRONMENT_SCHEMA = {"type": "string", "pattern": r"\$\{"}
"""What may stand for a value of any kind."""

Parse = Callable[[str], Any]


def reads(parse: Parse) -> BeforeValidator:
    """Read a text; refuse what is not a single value."""

    def read(value: object) -> object:
        if isinstance(value, dict | tuple):
            what = "a list" if isinstance(value, tuple) else "a mapping"
            raise ValueError(f"expected a single value, not {what}")
        return parse(value) if isinstance(value, str) else value

    return BeforeValidator(read)


def described(title: str, *kinds: dict[str, Any]) -> WithJsonSchema:
    """Describe a value to editors and readers: one of the kinds, or a variable."""
    return WithJsonSchema({"title": title, "anyOf": [*kinds, ENVIRONMENT_SCHEMA]})


def one_of(*names: str) -> Parse:
    """Return a parser for one of the names."""

    def parse(text: str) -> str:
        if text not in names:
            raise ValueError(not_known(text, names))
        return text

    return parse


def parse_flag(text: str) -> bool:
    """Return true or false. The other words that old YAML has for them are plain words here."""
    if text in ("true", "false"):
        return text == "true"
    hint = {"on": "true", "yes": "true", "off": "false", "no": "false"}.get(text.lower())
    raise ValueError(f"{quote(text)} is not a flag: expected {hint or 'true or false'}")


def parse_name(text: str) -> str:
    """Return a name that can stand in logs and metrics as it is."""
    if len(text) > MAX_NAME_LENGTH or not re.fullmatch(_NAME, text):
        raise ValueError(
            f"{quote(text)} is not a name: expected a letter, then letters, digits, '-', '_' "
            f"and '.', at most {MAX_NAME_LENGTH}"
        )
    return text


_TEXT = {"type": "string"}
TIME_SCHEMA = {"type": "string", "pattern": r"^([0-9.]+(ms|s|m|h|d)|0)$"}
_SIZE = [{"type": "string", "pattern": r"^[0-9.]+\s*([KMGTP]i?)?B?$"}, {"type": "integer"}]


def _count(most: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": 1, "maximum": most}


def choice(*names: str) -> list[Any]:
    """Annotate a Literal with how it is read and described."""
    return [reads(one_of(*names)), described("one of", {"enum": list(names)})]


Name = Annotated[str, reads(parse_name), described("name", _TEXT | {"pattern": f"^{_NAME}$"})]
Flag = Annotated[bool, reads(parse_flag), described("true or false", {"type": "boolean"})]
Workers = Annotated[
    int, reads(parse_workers), described("number or auto", _count(MAX_WORKERS), {"const": "auto"})
]
ConnectionCount = Annotated[
    int, reads(parse_max_connections), described("number", _count(MAX_CONNECTIONS))
]
GenerationCount = Annotated[
    int, reads(parse_max_generations), described("number", _count(MAX_GENERATIONS))
]
Backlog = Annotated[int, reads(parse_backlog), described("number", _count(MAX_BACKLOG))]

WRITES_DURATION = PlainSerializer(format_duration)
Timeout = Annotated[
    float, reads(parse_timeout), WRITES_DURATION, described("duration", TIME_SCHEMA)
]
DrainTimeout = Annotated[
    float, reads(parse_drain_timeout), WRITES_DURATION, described("duration", TIME_SCHEMA)
]
NextAddress = Annotated[
    float, reads(parse_next_address), WRITES_DURATION, described("duration", TIME_SCHEMA)
]
TcpUserTimeout = Annotated[
    float, reads(parse_tcp_user_timeout), WRITES_DURATION, described("duration", TIME_SCHEMA)
]
HangTimeout = Annotated[
    float, reads(parse_hang_timeout), WRITES_DURATION, described("duration", TIME_SCHEMA)
]
Size = Annotated[
    int, reads(parse_positive_size), PlainSerializer(format_size), described("size", *_SIZE)
]

BackendAddress = Annotated[
    Address, reads(parse_backend), PlainSerializer(str), described("address", _TEXT)
]
