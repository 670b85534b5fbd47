"""What a routes file has written, beside what its variables make of it.

A variable may hold a secret. So what a setting is called by, in the status, the log and messages,
is what the file has written, with the names of variables; their values are only used.
"""

import ast
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from spliceproxy.errors import CUT, quote

_LEAST_TOLD = 2  # a character of a secret gives nothing away; messages are full of single ones
_LEAST_BARE = 4  # what stands in a message without quotes, and is this long, is no accident
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")

Result = TypeVar("Result")


class Written(str):
    """A text with the names of variables, as in a routes file: nothing of it is to be escaped."""

    __slots__ = ()


class Part(NamedTuple):
    """A piece of a text."""

    written: str
    value: str
    is_variable: bool = False


class Expanded(str):
    """A text with values in the place of its variables; whatever is cut off is a plain text."""

    parts: tuple[Part, ...]

    def __new__(cls, parts: Iterable[Part]) -> "Expanded":
        """Put the pieces together."""
        known = tuple(parts)
        made = super().__new__(cls, "".join(part.value for part in known))
        made.parts = known
        return made

    def __getnewargs__(self) -> tuple[Iterable[Part]]:  # type: ignore[override]  # str's has the text
        """For copies and pickles."""
        return (self.parts,)

    @property
    def written(self) -> Written:
        """The whole text as the file has it."""
        return Written("".join(part.written for part in self.parts))

    def cut_written(self, length: int) -> tuple[Written, bool]:
        """Return what is written for so many characters of the value, and whether just for those.

        It ends behind a variable from which the last of them come.
        """
        written = ""
        for part in self.parts:
            if len(part.value) > length and not part.is_variable:
                return Written(written + part.written[:length]), True
            if length == 0 and part.value:
                break
            written += part.written
            if len(part.value) > length:
                return Written(written), False
            length -= len(part.value)
        return Written(written), True

    def conceal(self, message: str) -> str:
        """Return a message about this text that tells no value.

        What it quotes is replaced as a whole if a value, or a piece of one, may be in it.
        """
        told = _QUOTED.sub(lambda match: self._conceal_quoted(match[0]), message)
        for part in self.parts:
            if part.is_variable and len(part.value) >= _LEAST_BARE:
                told = told.replace(part.value, part.written)
        return told

    def _conceal_quoted(self, literal: str) -> str:
        text = ast.literal_eval(literal)
        tells = text.endswith(CUT) or any(
            (part.value and part.value in text) or (len(text) >= _LEAST_TOLD and text in part.value)
            for part in self.parts
            if part.is_variable
        )
        return quote(self.written) if tells else literal


class WrittenBytes(bytes):
    """Bytes that are shown as they are written."""

    written: Any

    def __repr__(self) -> str:
        """Show no value: this also names what is kept for a check."""
        return repr(self.written)


def written_in(value: Any) -> Any:
    """Return a value of a routes file, of any shape, as it is written there."""
    if isinstance(value, Expanded):
        return value.written
    if isinstance(value, Mapping):
        return {key: written_in(each) for key, each in value.items()}
    return tuple(map(written_in, value)) if isinstance(value, tuple) else value


def conceal(message: str, value: Any) -> str:
    """Return a message about a value of a routes file that tells nothing of its variables."""
    for text in _expanded_in(value):
        message = text.conceal(message)
    return message


def conceals(read: Callable[[Any], Result]) -> Callable[[Any], Result]:
    """Make a reader say what is wrong in terms of what is written."""

    def read_quietly(value: Any) -> Result:
        try:
            return read(value)
        except ValueError as problem:
            raise ValueError(conceal(str(problem), value)) from None

    return read_quietly


def keeps_written(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Make a reader of bytes keep beside them what was written, if that holds variables."""

    def read_and_keep(value: Any) -> Any:
        data = conceals(read)(value)
        if not any(_expanded_in(value)):
            return data
        kept = WrittenBytes(data)
        kept.written = written_in(value)
        return kept

    return read_and_keep


def _expanded_in(value: Any) -> list[Expanded]:
    if isinstance(value, Expanded):
        return [value]
    if isinstance(value, Mapping):
        value = tuple(value.values())
    return (
        [text for each in value for text in _expanded_in(each)] if isinstance(value, tuple) else []
    )
