"""One of a mirror's options: how its value is read, from a URL and from a routes file."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from spliceproxy.errors import alternatives, quote
from spliceproxy.settings.fields import ENVIRONMENT_SCHEMA, parse_flag


def _single_value() -> Mapping[str, Any]:
    return {"type": ["string", "integer"]}


@dataclass(frozen=True, slots=True)
class Option:
    """What users write by its name becomes a field, of the settings or for the kind's parser."""

    field: str
    parse: Callable[[str], Any]
    """Reads what stands in a URL; ValueError says what is wrong."""
    parse_entry: Callable[[Any], Any] | None = None
    """Reads what stands in a routes file, where that is written in another way."""
    schema: Mapping[str, Any] = dataclasses.field(default_factory=_single_value)
    """Describes it in a routes file."""
    has_structure: bool = False
    """In a routes file it may be a list or a mapping."""


def choice(field: str, *names: str) -> Option:
    """Return an option whose value is one of the names."""

    def parse(text: str) -> str:
        if text not in names:
            raise ValueError(f"{quote(text)} is not known: expected {alternatives(names)}")
        return text

    return Option(field, parse, schema={"anyOf": [{"enum": list(names)}, ENVIRONMENT_SCHEMA]})


def flag(field: str) -> Option:
    """Return an option that is yes or no in a URL, true or false in a routes file."""
    yes_or_no = choice(field, "yes", "no").parse
    schema = {"anyOf": [{"type": "boolean"}, ENVIRONMENT_SCHEMA]}
    return Option(field, lambda text: yes_or_no(text) == "yes", parse_flag, schema)
