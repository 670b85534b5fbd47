"""Values of fields, within bounds: what is too long is cut, and has its digest behind it."""

import json
from hashlib import blake2b

MOST_VALUE_BYTES = 4 << 10
MOST_FIELDS = 1000
MOST_FIELD_CHARACTERS = 256 << 10
"""Of all paths and values of a message; over it, its digest is all that is kept."""
MOST_PATH_CHARACTERS = 256

_SHOWN_OF_LONG = 256
_DIGEST_BYTES = 16


class KeptBytes:
    """The first of many bytes, their number, and a digest of all."""

    def __init__(self, most: int = MOST_VALUE_BYTES) -> None:
        self.size = 0
        self.first = bytearray()
        self._most = most
        self._digest = blake2b(digest_size=_DIGEST_BYTES)

    def add(self, data: bytes) -> None:
        """Count further bytes in."""
        self.size += len(data)
        self.first += data[: max(0, self._most - len(self.first))]
        self._digest.update(data)

    @property
    def is_all(self) -> bool:
        """Whether no byte is missing in `first`."""
        return self.size == len(self.first)

    def text(self) -> str:
        """Return them as a field's value; different bytes give different texts."""
        if self.is_all and self.size <= MOST_VALUE_BYTES:
            return as_text(bytes(self.first))
        digest = self._digest.hexdigest()
        return f"{as_text(bytes(self.first[:_SHOWN_OF_LONG]))}... ({self.size} bytes, {digest})"


def as_text(data: bytes) -> str:
    """Return bytes as a text of printable characters; different bytes give different texts."""
    text = data.decode("utf-8", "surrogateescape")
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(map(_escaped, text))


def _escaped(char: str) -> str:
    if "\udc80" <= char <= "\udcff":  # a byte that is no UTF-8
        return f"\\x{ord(char) - 0xDC00:02x}"
    if char == "\\" or not char.isprintable():
        return char.encode("unicode_escape").decode()
    return char


class FieldCollector:
    """The fields of a message that is being read."""

    def __init__(self) -> None:
        self._fields: dict[str, str] = {}
        self._characters = 0
        self._is_over = False
        self._digest = blake2b(digest_size=_DIGEST_BYTES)

    def put(self, path: str, value: str) -> None:
        """Add one; a path that is there already gets a further value."""
        self._digest.update(f"{len(path)} {path} {len(value)} {value} ".encode())
        if self._is_over:
            return
        path = path[:MOST_PATH_CHARACTERS]
        if path in self._fields:
            value = f"{self._fields[path]}, {value}"
        self._characters += len(path) + len(value)
        self._fields[path] = value
        too_long = self._characters > MOST_FIELD_CHARACTERS
        if too_long or len(self._fields) > MOST_FIELDS:
            self._is_over = True
            self._fields = {}

    def put_json(self, path: str, value: object) -> None:
        """Add the parts of a JSON value, each by its path."""
        waiting = [(path, value)]
        while waiting:
            path, value = waiting.pop()
            if isinstance(value, dict) and value:
                parts = [(f"{path}.{_key(key)}", each) for key, each in value.items()]
                waiting += reversed(parts)
            elif isinstance(value, list) and value:
                parts = [(f"{path}[{at}]", each) for at, each in enumerate(value)]
                waiting += reversed(parts)
            else:
                self.put(path, json.dumps(value))

    @property
    def fields(self) -> dict[str, str]:
        """All of them, or none if they are too many."""
        return self._fields

    def digest(self) -> bytes:
        """Return a digest that does not depend on the order, unless they are too many."""
        if self._is_over:
            return self._digest.digest()
        digest = blake2b(digest_size=_DIGEST_BYTES)
        for path, value in sorted(self._fields.items()):
            digest.update(f"{len(path)} {path} {len(value)} {value} ".encode())
        return digest.digest()


def _key(key: str) -> str:
    return as_text(key.encode("utf-8", "surrogatepass"))
