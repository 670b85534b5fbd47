"""The values of a file, each with its position, before anybody has looked at what they mean."""

import re
from dataclasses import dataclass
from typing import Any

from spliceproxy.errors import quote


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Where something stands in the file; the first line and column are 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """What is wrong, and where."""

    position: Position
    path: str  # of the value, as in routes[0].listen; "" for the whole file
    message: str

    def line(self, file: str) -> str:
        """Return the line that is told, in the form that editors and compilers share."""
        path = f"{self.path}: " if self.path else ""
        return f"{file}:{self.position.line}:{self.position.column}: error: {path}{self.message}"


@dataclass(frozen=True, slots=True)
class Value:
    """A text, nothing at all, a mapping or a list."""

    content: "str | dict[str, Value] | tuple[Value, ...] | None"
    path: str
    position: Position
    key_position: Position
    """Where the value's key is; in a list, and at the top, that of the value."""

    def plain(self) -> Any:
        """Return the contents without positions."""
        if isinstance(self.content, dict):
            return {key: value.plain() for key, value in self.content.items()}
        if isinstance(self.content, tuple):
            return tuple(value.plain() for value in self.content)
        return self.content

    def child(self, step: str | int) -> "Value | None":
        """Return what is below, if it is there."""
        if isinstance(self.content, dict) and isinstance(step, str):
            return self.content.get(step)
        if isinstance(self.content, tuple) and isinstance(step, int) and step < len(self.content):
            return self.content[step]
        return None

    def size(self) -> int:
        """Return how many values there are, with this one."""
        if isinstance(self.content, dict):
            return 1 + sum(value.size() for value in self.content.values())
        if isinstance(self.content, tuple):
            return 1 + sum(value.size() for value in self.content)
        return 1


def join(path: str, key: str) -> str:
    """Return the path of a key of a mapping."""
    word = key if re.fullmatch(r"[A-Za-z0-9_-]{1,60}", key) else f"[{quote(key)}]"
    return f"{path}.{word}" if path and not word.startswith("[") else f"{path}{word}"
