"""What the user does not want to hear of: fields by their path, and parts of values."""

import re
from collections.abc import Iterable

from spliceproxy.errors import quote

_VALUE = "re:"


class IgnorePatterns:
    """A path is given with ``*`` and ``?``; a regular expression goes by values."""

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        """Read them.

        Raises:
            ValueError: one is no regular expression; the message says why.
        """
        self._paths: list[re.Pattern[str]] = []
        self._values: list[re.Pattern[str]] = []
        for pattern in patterns:
            if pattern.startswith(_VALUE):
                self._values.append(_compile(pattern.removeprefix(_VALUE)))
            else:
                self._paths.append(_glob(pattern))

    def has_path(self, path: str) -> bool:
        """Whether a field is left out altogether."""
        return any(pattern.fullmatch(path) for pattern in self._paths)

    def are_alike(self, one: str, other: str) -> bool:
        """Whether two values are the same but for the parts that are left out."""
        for pattern in self._values:
            one, other = pattern.sub("", one), pattern.sub("", other)
        return one == other


def _compile(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as problem:
        raise ValueError(f"{quote(text)} is no regular expression: {problem}") from None


def _glob(text: str) -> re.Pattern[str]:
    """Unlike in `fnmatch`, brackets stand for themselves: they are parts of paths."""
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(char) or re.escape(char) for char in text), re.DOTALL)
