"""What may follow the `?` of a mirror: which copies it gets, and what happens when it lags."""

from collections.abc import Callable
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl

from spliceproxy.errors import alternatives, quote, suggest
from spliceproxy.settings.units import parse_percent, parse_positive_size

Kind = Literal["file", "tcp", "unix", "exec", "null"]
Direction = Literal["request", "response", "both"]
Overflow = Literal["detach", "gap", "spill", "block"]
Scope = Literal["connection", "route"]

DEFAULT_DIRECTIONS: dict[Kind, Direction] = {
    "file": "both",
    "tcp": "request",
    "unix": "request",
    "exec": "request",
    "null": "both",
}
# A stream cannot have a hole that its reader would not see, and a file needs no second file.
OVERFLOWS: dict[Kind, tuple[Overflow, ...]] = {
    "file": ("detach", "gap", "block"),
    "tcp": ("detach", "spill", "block"),
    "unix": ("detach", "spill", "block"),
    "exec": ("detach", "spill", "block"),
    "null": ("detach",),
}


def _one_of(*names: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in names:
            raise ValueError(f"{quote(text)} is not known: expected {alternatives(names)}")
        return text

    return parse


# What users write: the field that it becomes, and how its value is read.
OPTIONS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "direction": ("direction", _one_of(*get_args(Direction))),
    "sample": ("sample", parse_percent),
    "max_bytes": ("max_bytes", parse_positive_size),
    "buffer": ("buffer_bytes", parse_positive_size),
    "overflow": ("overflow", _one_of(*get_args(Overflow))),
    "spool": ("spool_bytes", parse_positive_size),
    "scope": ("scope", _one_of(*get_args(Scope))),
    "shell": ("shell", _one_of("yes", "no")),
}
ONLY_FOR: dict[str, tuple[Kind, ...]] = {
    "spool": tuple(kind for kind, possible in OVERFLOWS.items() if "spill" in possible),
    "scope": ("exec",),
    "shell": ("exec",),
}


def parse_options(kind: Kind, query: str) -> dict[str, Any]:
    """Return what was given, by field, and the direction; ValueError says what is wrong."""
    fields: dict[str, Any] = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        try:
            check_option(kind, name)
        except ValueError as problem:
            hint = " (%3F stands for a '?' itself)" if kind in {"file", "unix", "exec"} else ""
            raise ValueError(f"{problem}{hint}") from None
        field, parse = OPTIONS[name]
        if field in fields:
            raise ValueError(f"option {name!r} is given twice: expected it once")
        try:
            fields[field] = parse(text)
        except ValueError as problem:
            raise ValueError(f"{name}={problem}") from None
    conflict = find_conflict(kind, fields)
    if conflict is not None:
        raise ValueError(conflict[1])
    return {"direction": DEFAULT_DIRECTIONS[kind]} | fields


def check_option(kind: Kind, name: str) -> None:
    """Refuse an option that this kind of mirror does not have."""
    known = [option for option in OPTIONS if kind in ONLY_FOR.get(option, (kind,))]
    if name in known:
        return
    what = f"not for {kind}" if name in OPTIONS else f"not known{suggest(name, known)}"
    raise ValueError(f"option {quote(name)} is {what}: expected {alternatives(known)}")


def find_conflict(kind: Kind, fields: dict[str, Any]) -> tuple[str, str] | None:
    """Return an option that this kind of mirror or another option rules out, and the reason."""
    overflow = fields.get("overflow", "detach")
    possible = OVERFLOWS[kind]
    if overflow not in possible:
        what = f"overflow={overflow} is not for {kind}: expected {alternatives(possible)}"
        return "overflow", what
    if overflow == "spill" and fields.get("scope") == "route":
        return "overflow", "overflow=spill is not for scope=route: expected detach or block"
    if "spool_bytes" in fields and overflow != "spill":
        return "spool", "option 'spool' has no effect: expected overflow=spill with it"
    return None
