"""What may follow the `?` of a mirror: which copies it gets, and what happens when it lags."""

from collections.abc import Mapping
from typing import Any, get_args
from urllib.parse import parse_qsl

from spliceproxy.errors import alternatives, quote, suggest
from spliceproxy.settings.mirror_filters import FILTERS
from spliceproxy.settings.mirror_kinds.kind import Direction, MirrorKind, Overflow
from spliceproxy.settings.mirror_kinds.option import Option, choice
from spliceproxy.settings.mirror_kinds.table import KINDS
from spliceproxy.settings.units import parse_percent, parse_positive_size

_SPOOL = "spool"
_COMMON: dict[str, Option] = {
    "direction": choice("direction", *get_args(Direction)),
    "sample": Option("sample", parse_percent),
    **FILTERS,
    "max_bytes": Option("max_bytes", parse_positive_size),
    "buffer": Option("buffer_bytes", parse_positive_size),
    "overflow": choice("overflow", *get_args(Overflow)),
    _SPOOL: Option("spool_bytes", parse_positive_size),
}


def options_of(kind: MirrorKind) -> dict[str, Option]:
    """Return the options that this kind of mirror has, by the names that users write."""
    spills = "spill" in kind.overflows
    common = {name: it for name, it in _COMMON.items() if spills or name != _SPOOL}
    return {**common, **kind.options}


def every_option() -> dict[str, Option]:
    """Return the options of all kinds."""
    return _COMMON | {name: it for kind in KINDS.values() for name, it in kind.options.items()}


def parse_options(kind: MirrorKind, query: str) -> dict[str, Any]:
    """Return what was given, by field; ValueError says what is wrong."""
    fields: dict[str, Any] = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        try:
            option = find_option(kind, name)
        except ValueError as problem:
            hint = " (%3F stands for a '?' itself)" if kind.escapes_question_marks else ""
            raise ValueError(f"{problem}{hint}") from None
        if option.field in fields:
            raise ValueError(f"option {name!r} is given twice: expected it once")
        try:
            fields[option.field] = option.parse(text)
        except ValueError as problem:
            raise ValueError(f"{name}={problem}") from None
    conflict = find_conflict(kind, fields)
    if conflict is not None:
        raise ValueError(conflict[1])
    return fields


def find_option(kind: MirrorKind, name: str) -> Option:
    """Return an option; ValueError: this kind of mirror does not have it."""
    known = options_of(kind)
    if name in known:
        return known[name]
    what = f"not for {kind.name}" if name in every_option() else f"not known{suggest(name, known)}"
    raise ValueError(f"option {quote(name)} is {what}: expected {alternatives(list(known))}")


def find_conflict(kind: MirrorKind, fields: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return an option that this kind of mirror or another option rules out, and the reason."""
    overflow = fields.get("overflow", "detach")
    if overflow not in kind.overflows:
        expected = alternatives(kind.overflows)
        return "overflow", f"overflow={overflow} is not for {kind.name}: expected {expected}"
    conflict = kind.find_conflict(fields)
    if conflict is None and "spool_bytes" in fields and overflow != "spill":
        return "spool", "option 'spool' has no effect: expected overflow=spill with it"
    return conflict
