"""What holds for a TLS connection by the server name and the protocols that it asks for."""

import re
from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

Value = TypeVar("Value")

_MAX_LENGTH = 253
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII)


class SniTable(Generic[Value]):
    """A value by server name, else by protocol (ALPN), else a default.

    The exact name comes first, then the longest wildcard: ``*.example.org`` stands for all names
    below example.org, however deep, not for example.org itself. Of the protocols, the one that
    the client names first decides.
    """

    def __init__(
        self, names: Mapping[str, Value], protocols: Mapping[bytes, Value], default: Value
    ) -> None:
        self._exact: dict[str, Value] = {}
        self._below: dict[str, Value] = {}
        for pattern, value in names.items():
            name = normalise_pattern(pattern)
            table = self._below if name.startswith("*.") else self._exact
            if table.setdefault(name.removeprefix("*."), value) != value:
                raise ValueError(f"{pattern!r} has two values")
        self._protocols = dict(protocols)
        self._default = default

    def lookup(self, server_name: str | None, protocols: Iterable[bytes] = ()) -> Value:
        """Return the value for what a client asks for; the name as it wrote it."""
        if server_name is not None:
            name = server_name.lower().removesuffix(".")
            if name in self._exact:
                return self._exact[name]
            if self._below:
                # As many steps as there are dots in a name of at most 255 characters.
                _, dot, parent = name.partition(".")
                while dot:
                    if parent in self._below:
                        return self._below[parent]
                    _, dot, parent = parent.partition(".")
        for protocol in protocols:
            if protocol in self._protocols:
                return self._protocols[protocol]
        return self._default


def normalise_pattern(pattern: str) -> str:
    """Return a name, or ``*.`` and a name, in lower case A-labels without a dot at the end.

    Raises:
        ValueError: it is neither.
    """
    wildcard = "*." if pattern.startswith("*.") else ""
    given = pattern.removeprefix("*.").removesuffix(".")
    try:
        # The length first: the codec's time grows with the square of its input.
        too_long = len(given) > _MAX_LENGTH
        name = given if given.isascii() or too_long else given.encode("idna").decode("ascii")
    except UnicodeError:
        name = ""
    name = name.lower()
    if len(name) > _MAX_LENGTH or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError(f"{pattern[:60]!r} is not a server name, nor '*.' and one")
    return wildcard + name
