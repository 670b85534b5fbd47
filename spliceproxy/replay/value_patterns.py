"""What is looked for in answers: values, by regular expressions with a group."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from spliceproxy.errors import quote

_SEARCHED_BYTES = 4 << 10
"""A match is not longer. So an expression never gets more than twice as many, whose time may grow
with the square or the cube of that."""
_GROUP = "value"


@dataclass(frozen=True, slots=True)
class ValuePattern:
    """A regular expression, and which of its groups is the value."""

    text: str
    expression: re.Pattern[bytes]
    group: int | str

    @classmethod
    def parse(cls, text: str) -> "ValuePattern":
        """Read one; ``^`` and ``$`` are ends of lines.

        Raises:
            ValueError: says what is wrong.
        """
        try:
            expression = re.compile(os.fsencode(text), re.MULTILINE)
        except re.error as problem:
            raise ValueError(f"{quote(text)} is no regular expression: {problem}") from None
        if expression.match(b""):
            raise ValueError(f"{quote(text)} matches where there is nothing")
        if _GROUP in expression.groupindex:
            return cls(text, expression, _GROUP)
        if expression.groups != 1:
            raise ValueError(
                f"{quote(text)} has {expression.groups} groups: expected one around the value, such"
                f' as "token":"([^"]+)", or one that is named, (?P<{_GROUP}>…)'
            )
        return cls(text, expression, 1)


class ValueScanner:
    """Finds values in one stream; memory has a bound, and pieces don't matter.

    A match that reaches as far as the stream does so far may go on: it waits for more bytes, or for
    `settle`.
    """

    def __init__(self, patterns: Sequence[ValuePattern]) -> None:
        self._patterns = patterns
        self._buffer = bytearray()
        self._searched = [0] * len(patterns)  # up to where matches have been taken

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Take the next bytes; return the number of a pattern, and a value, for each match."""
        for start in range(0, len(data), _SEARCHED_BYTES):
            self._buffer += data[start : start + _SEARCHED_BYTES]
            yield from self._search(is_settled=False)
            surplus = len(self._buffer) - _SEARCHED_BYTES - 1
            if surplus > 0:
                del self._buffer[:surplus]
                # One byte stays before what is searched, so that ^ does not match there.
                self._searched = [max(1, at - surplus) for at in self._searched]

    def settle(self) -> Iterator[tuple[int, bytes]]:
        """An answer is over: no match goes on behind it, or begins before it."""
        yield from self._search(is_settled=True)
        self._buffer.clear()
        self._searched = [0] * len(self._patterns)

    def _search(self, *, is_settled: bool) -> Iterator[tuple[int, bytes]]:
        data = bytes(self._buffer)
        for number, pattern in enumerate(self._patterns):
            at = self._searched[number]
            while found := pattern.expression.search(data, at):
                if found.end() == len(data) and not is_settled:
                    break
                at = found.end() + (found.end() == found.start())
                yield number, found[pattern.group] or b""
                if at > len(data):
                    break
            self._searched[number] = at
