"""`${NAME}` and `${NAME:-default}` in the texts of a file; `$${` stands for `${` itself."""

import re
from collections.abc import Mapping

from spliceproxy.errors import quote
from spliceproxy.settings.written import Expanded, Part

MAX_CHARACTERS = 1 << 20
"""Of all texts together, after variables have been replaced."""

_REFERENCE = re.compile(r"\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?")


class Environment:
    """Replaces references to variables, within a bound for the whole file."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._left = MAX_CHARACTERS

    def expand(self, text: str) -> str:
        """Return the text with values for references, as an `Expanded` if there are any.

        Raises:
            ValueError: says what is wrong.
        """
        if "${" not in text:
            return text
        parts: list[Part] = []
        end = 0
        for match in _REFERENCE.finditer(text):
            before = text[end : match.start()]
            parts += [Part(before, before), self._part(match, text)]
            end = match.end()
        expanded = Expanded([*parts, Part(text[end:], text[end:])])
        return expanded if any(part.is_variable for part in parts) else str(expanded)

    def _part(self, match: re.Match[str], text: str) -> Part:
        if match[0] == "$${":
            return Part(match[0], "${")
        return Part(match[0], self._value(match, text), is_variable=True)

    def _value(self, match: re.Match[str], text: str) -> str:
        name, default = match[1], match[2]
        if name is None:
            raise ValueError(
                f"{quote(text)} is not understood: expected ${{NAME}} or ${{NAME:-default}}, "
                "or $${ for the characters themselves"
            )
        value = self._variables.get(name)
        if default is not None:
            value = value or default
        if value is None:
            raise ValueError(
                f"the environment variable {quote(name)} is not set: "
                f"set it, or write ${{{name[:60]}:-default}}"
            )
        self._left -= len(value)
        if self._left < 0:
            raise ValueError("the values of environment variables are too long together")
        return value
