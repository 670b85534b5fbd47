"""The variables that a command is given beside those that every command has."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from spliceproxy.errors import quote
from spliceproxy.settings.written import Expanded, written_in

OWN_PREFIX = "SPLICEPROXY_"
FACTS = ("ROUTE", "CLIENT", "BACKEND", "CONNECTION", "DIRECTION", "STARTED")
"""What the proxy tells commands of the connection, in variables with that prefix."""

MAX_VARIABLES = 64
MAX_VALUE_BYTES = 32 << 10  # a quarter of what execve(2) takes for one (MAX_ARG_STRLEN)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
_TOLD = frozenset(OWN_PREFIX + fact for fact in FACTS)

SCHEMA = {
    "anyOf": [
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}},
        {"type": "object", "additionalProperties": {"type": ["string", "number", "null"]}},
    ]
}


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable; what is in it may be a secret."""

    name: str
    value: str | None = field(default=None, repr=False)
    """None: as it is in the environment of the proxy."""
    written: str | None = None
    """The value as a routes file has it."""


def parse_names(text: str) -> tuple[Variable, ...]:
    """Return variables that are passed on, from their names; ValueError says what is wrong."""
    return _checked(Variable(name) for name in text.split(","))


def read_variables(value: Any) -> tuple[Variable, ...]:
    """Return variables from a mapping, from a list of NAME or NAME=VALUE, or from names.

    Raises:
        ValueError: says what is wrong, and what is expected.
    """
    if isinstance(value, str):
        return parse_names(value)
    if isinstance(value, Mapping):
        return _checked(_from_pair(name, each) for name, each in value.items())
    if isinstance(value, tuple):
        return _checked(map(_from_item, value))
    raise ValueError("expected names of variables, a list of them, or a mapping")


def _from_pair(name: str, value: Any) -> Variable:
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{quote(name)} has more than one value: expected one, or none at all")
    return Variable(name, None if value is None else str(value), written_in(value))


def _from_item(item: Any) -> Variable:
    if not isinstance(item, str):
        raise ValueError("expected NAME or NAME=VALUE, each once")
    name, sign, value = item.partition("=")
    if not sign:
        return Variable(name)
    if not isinstance(item, Expanded):
        return Variable(name, value, value)
    head, is_apart = item.cut_written(len(name) + 1)
    if not is_apart:
        raise ValueError(f"{quote(head)} holds a name and a value: expected NAME=VALUE")
    return Variable(name, value, type(head)(item.written[len(head) :]))


def _checked(variables: Iterable[Variable]) -> tuple[Variable, ...]:
    known: dict[str, Variable] = {}
    for variable in variables:
        name = variable.name
        if not _NAME.fullmatch(name):
            raise ValueError(f"{quote(name)} is no name of a variable: expected NAME or NAME=VALUE")
        if name in _TOLD:
            raise ValueError(f"{quote(name)} is set by the proxy itself: expected another name")
        if name in known:
            raise ValueError(f"{quote(name)} is given twice: expected it once")
        _check_value(variable)
        known[name] = variable
    if len(known) > MAX_VARIABLES:
        raise ValueError(f"{len(known)} variables are too many: expected at most {MAX_VARIABLES}")
    return tuple(known.values())


def _check_value(variable: Variable) -> None:
    value = variable.value or ""
    if "\0" in value:
        raise ValueError(f"the value of {quote(variable.name)} holds a NUL: expected none")
    if len(value.encode(errors="surrogateescape")) > MAX_VALUE_BYTES:
        raise ValueError(
            f"the value of {quote(variable.name)} is too long: expected at most "
            f"{MAX_VALUE_BYTES >> 10} KiB"
        )


def write_variables(variables: Iterable[Variable]) -> dict[str, str | None]:
    """Return the mapping that is read as these."""
    return {variable.name: variable.written for variable in variables}
