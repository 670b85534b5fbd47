"""Nodes to values: duplicate keys, tags and variables are dealt with here, whatever is meant."""

import re

import yaml

from spliceproxy.errors import quote
from spliceproxy.routes_file.environment import Environment
from spliceproxy.routes_file.nodes import MAX_DEPTH, PLAIN, position_of
from spliceproxy.routes_file.tree import Mistake, Position, Value, join

MAX_VALUES = 50_000
"""In the whole file, each alias counted as what it stands for."""

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+")


class TooManyValuesError(Exception):
    """Aliases of aliases have run away."""


class Values:
    """Makes values of nodes, and notes what is wrong with them."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._left = MAX_VALUES
        self._depth = 0
        self.mistakes: list[Mistake] = []

    def read(self, root: yaml.Node) -> Value | None:
        """Return the value at the top, unless there are too many below it."""
        try:
            return self._value(root, "", position_of(root.start_mark))
        except TooManyValuesError:
            what = f"more than {MAX_VALUES} values, each alias counted as what it stands for"
            self._note(position_of(root.start_mark), "", what)
            return None

    def _value(self, node: yaml.Node, path: str, key_position: Position) -> Value:
        self._left -= 1
        if self._left < 0 or self._depth > MAX_DEPTH:
            raise TooManyValuesError
        position = position_of(node.start_mark)
        if node.tag != PLAIN:
            tag = quote(node.tag.replace("tag:yaml.org,2002:", "!!"))
            self._note(position, path, f"tag {tag} is not allowed: expected none")
        self._depth += 1
        content: str | dict[str, Value] | tuple[Value, ...] | None
        if isinstance(node, yaml.MappingNode):
            content = self._mapping(node, path)
        elif isinstance(node, yaml.SequenceNode):
            content = tuple(
                self._value(item, f"{path}[{index}]", position_of(item.start_mark))
                for index, item in enumerate(node.value)
            )
        else:
            assert isinstance(node, yaml.ScalarNode)  # noqa: S101 - there is no fourth kind
            content = self._scalar(node, path, position)
        self._depth -= 1
        return Value(content, path, position, key_position)

    def _mapping(self, node: yaml.MappingNode, path: str) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for key, value in node.value:
            position = position_of(key.start_mark)
            if not isinstance(key, yaml.ScalarNode) or key.tag != PLAIN:
                self._note(
                    position, path, "a key is a plain word: expected no list, mapping or tag"
                )
                continue
            if key.value in found:
                first = found[key.value].key_position.line
                what = f"given twice, first in line {first}: expected once"
                self._note(position, join(path, key.value), what)
            else:
                found[key.value] = self._value(value, join(path, key.value), position)
        return found

    def _scalar(self, node: yaml.ScalarNode, path: str, position: Position) -> str | None:
        text = str(node.value)
        if node.style is None:
            if text in _NULLS:
                return None
            if _LEADING_ZERO.fullmatch(text):
                what = (
                    f"{quote(text)} is ambiguous, as some read it as octal: expected no leading "
                    "zero, or quotes around a text"
                )
                self._note(position, path, what)
        try:
            return self._environment.expand(text)
        except ValueError as problem:
            self._note(position, path, str(problem))
            return text

    def _note(self, position: Position, path: str, message: str) -> None:
        self.mistakes.append(Mistake(position, path, message))
