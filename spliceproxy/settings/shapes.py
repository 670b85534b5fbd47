"""Lists and mappings that may be written in a shorter way, and what editors are told of it."""

from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema


class NotEmpty:
    """A list of one or more."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Look before the items are read: those that are refused count too."""
        return core_schema.no_info_before_validator_function(_not_empty, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Tell editors that one item is the least."""
        return {**handler(schema), "minItems": 1}


class OneOrMany:
    """A list, or what would be its only item."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Make a list of anything else."""
        return core_schema.no_info_before_validator_function(_as_list, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Tell editors of both ways to write it."""
        several = handler(schema)
        return {"anyOf": [several["items"], several]}


class Shorthand:
    """A mapping, or the value of its most important key alone."""

    def __init__(self, key: str, *types: str) -> None:
        self._key = key
        self._types = types or ("string",)

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Make a mapping of a text."""

        def expand(value: object) -> object:
            short = str | tuple if "array" in self._types else str
            return {self._key: value} if isinstance(value, short) else value

        return core_schema.no_info_before_validator_function(expand, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Tell editors of both ways to write it."""
        alone = [{"type": name} for name in self._types]
        return {"anyOf": [*alone, handler(schema)]}


class Switch:
    """A mapping, or `true` for one that says nothing, or `false` for none."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Make a mapping of `true`."""
        return core_schema.no_info_before_validator_function(_switch, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Tell editors of both ways to write it."""
        return {"anyOf": [{"type": "boolean"}, handler(schema)]}


def _switch(value: object) -> object:
    if isinstance(value, str) and value in ("true", "false"):
        return {} if value == "true" else None
    return value


def _not_empty(value: object) -> object:
    if value == ():
        raise ValueError("is empty: expected one or more")
    return value


def _as_list(value: object) -> object:
    return value if isinstance(value, tuple) or value is None else (value,)
