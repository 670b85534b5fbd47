"""Options of a mirror that tell which connections it gets, beside its sample."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from spliceproxy.settings.mirror_kinds.option import Option
from spliceproxy.settings.network import parse_network
from spliceproxy.settings.server_name import parse_server_name

_MOST = 1000
_SCHEMA: Mapping[str, Any] = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
}

Item = TypeVar("Item")


def _list_option(field: str, parse_item: Callable[[str], Item]) -> Option:
    """Return an option of several items: joined by commas, or a list in a routes file."""

    def parse(text: str) -> tuple[Item, ...]:
        return read([item.strip() for item in text.split(",")])

    def read(items: list[str] | tuple[str, ...]) -> tuple[Item, ...]:
        if not items:
            raise ValueError("the list is empty: expected at least one entry")
        if len(items) > _MOST:
            raise ValueError(f"{len(items)} entries: expected at most {_MOST}")
        found = [parse_item(item) for item in items]
        # Their order says nothing, and once is enough.
        return tuple(dict.fromkeys(found))

    def parse_entry(value: Any) -> tuple[Item, ...]:
        if isinstance(value, str):
            return parse(value)
        if not isinstance(value, tuple) or not all(isinstance(item, str) for item in value):
            raise ValueError("expected a list, or a text with commas")
        return read(value)

    return Option(field, parse, parse_entry, _SCHEMA, has_structure=True)


FILTERS: Mapping[str, Option] = {
    "clients": _list_option("clients", parse_network),
    "server_names": _list_option("server_names", parse_server_name),
}
