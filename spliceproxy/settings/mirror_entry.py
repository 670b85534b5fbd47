"""A mirror in a routes file: its URL, or a mapping of the sink and the options.

In a mapping the sink stands alone, without options, and each option has a key of its own.
"""

from typing import Annotated, Any

from pydantic import BeforeValidator, InstanceOf, PlainSerializer, ValidationError, WithJsonSchema
from pydantic_core import InitErrorDetails, PydanticCustomError

from spliceproxy.errors import not_known, quote
from spliceproxy.settings.mirror import MirrorSettings, make_mirror, parse_kind, parse_mirror
from spliceproxy.settings.mirror_kinds.kind import MirrorKind
from spliceproxy.settings.mirror_kinds.option import Option
from spliceproxy.settings.mirror_kinds.table import KINDS, mirror_forms
from spliceproxy.settings.mirror_options import (
    every_option,
    find_conflict,
    find_option,
    options_of,
)
from spliceproxy.settings.units import format_percent, format_size
from spliceproxy.settings.written import conceal

MISTAKE = "mistake"
"""The type of errors whose message is the whole of what is to be said."""


def read_mirror(value: object) -> object:
    """Return a mirror from its URL or mapping."""
    if isinstance(value, str):
        return parse_mirror(value)
    if not isinstance(value, dict):
        return value
    entry = _Entry(value)
    mirror = entry.read()
    if mirror is None:
        raise ValidationError.from_exception_data("mirror", entry.mistakes)
    return mirror


class _Entry:
    """A mapping that is being read, and all that is wrong with it."""

    def __init__(self, entry: dict[str, Any]) -> None:
        self._entry = entry
        self.mistakes: list[InitErrorDetails] = []

    def read(self) -> MirrorSettings | None:
        kind = self._kind()
        options = self._options(kind)
        if kind is not None and not self.mistakes:
            conflict = find_conflict(kind, options)
            if conflict is not None:
                self._mistake(*conflict)
        if kind is None or self.mistakes:
            return None
        try:
            return make_mirror(kind, self._entry["to"], options)
        except ValueError as problem:
            self._mistake("to", f"{quote(self._entry['to'])}: {problem}")
            return None

    def _kind(self) -> MirrorKind | None:
        text = self._entry.get("to")
        if not isinstance(text, str):
            key = "to" if "to" in self._entry else ""
            self._mistake(key, f"the mirror has no place: expected to: {mirror_forms()}")
            return None
        try:
            kind = parse_kind(text)
        except ValueError as problem:
            self._mistake("to", str(problem))
            return None
        if not kind.has_plain_question_marks and kind.split(text)[1]:
            self._mistake(
                "to", f"{quote(text)} has options behind '?': expected each as a key of its own"
            )
        return kind

    def _options(self, kind: MirrorKind | None) -> dict[str, Any]:
        options = {}
        for name, value in self._entry.items():
            if name == "to":
                continue
            try:
                option = every_option().get(name) if kind is None else find_option(kind, name)
                if option is None:
                    raise ValueError(not_known(name, ["to", *every_option()]))
                options[option.field] = _read_option(option, value)
            except ValueError as problem:
                self._mistake(name, str(problem))
        return options

    def _mistake(self, key: str, message: str) -> None:
        message = conceal(message, self._entry.get(key))
        error = PydanticCustomError(MISTAKE, "{message}", {"message": message})
        self.mistakes.append(InitErrorDetails(type=error, loc=(key,) if key else (), input=None))


def _read_option(option: Option, value: Any) -> object:
    if not (option.has_structure or isinstance(value, str)):
        raise ValueError("expected a single value")
    return (option.parse_entry or option.parse)(value)


def write_mirror(mirror: MirrorSettings) -> dict[str, Any] | str:
    """Return the mapping that is read as this mirror, or its URL if a variable has options too."""
    if mirror.entry is not None:
        return mirror.entry
    options: dict[str, Any] = {
        "to": mirror.text,
        "direction": mirror.direction,
        "sample": format_percent(mirror.sample),
        "overflow": mirror.overflow,
    }
    if mirror.clients:
        options["clients"] = list(map(str, mirror.clients))
    if mirror.server_names:
        options["server_names"] = list(mirror.server_names)
    if mirror.buffer_bytes is not None:
        options["buffer"] = format_size(mirror.buffer_bytes)
    if mirror.max_bytes is not None:
        options["max_bytes"] = format_size(mirror.max_bytes)
    if mirror.overflow == "spill":
        options["spool"] = format_size(mirror.spool_bytes)
    return options | KINDS[mirror.kind].write_options(mirror)


def _schema() -> dict[str, Any]:
    options = {name: dict(option.schema) for name, option in every_option().items()}
    for name, schema in options.items():
        kinds = [kind.name for kind in KINDS.values() if name in options_of(kind)]
        if len(kinds) < len(KINDS):
            schema["description"] = f"Only for {', '.join(kinds)}."
    mapping = {
        "type": "object",
        "properties": {"to": {"type": "string", "description": f"{mirror_forms()}."}, **options},
        "required": ["to"],
        "additionalProperties": False,
    }
    return {"title": "URL, or a mapping", "anyOf": [{"type": "string"}, mapping]}


MirrorEntry = Annotated[
    InstanceOf[MirrorSettings],
    BeforeValidator(read_mirror),
    PlainSerializer(write_mirror),
    WithJsonSchema(_schema()),
]
