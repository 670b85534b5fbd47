"""Finding the number that the secrets of a captured TLS session are known by."""

import re

_MOST_BYTES = 8 << 10
"""Of a stream that is searched: before the hello may be what asks for TLS (STARTTLS)."""
_HELLO = re.compile(rb"\x16\x03[\x00-\x04]..\x01\x00..\x03[\x00-\x03](.{32})", re.DOTALL)
"""A record with the beginning of a client's hello (RFC 8446, sections 4.1.2 and 5.1)."""


class ClientRandomSearch:
    """Looks for a client's hello near the beginning of one stream."""

    def __init__(self) -> None:
        self._seen = bytearray()
        self._is_over = False

    def feed(self, offset: int, data: bytes) -> bytes | None:
        """Take the next bytes; return the random number when they complete it, once."""
        if self._is_over:
            return None
        if offset != len(self._seen):  # a gap, or the beginning is not there
            self._stop()
            return None
        self._seen += data[: _MOST_BYTES - len(self._seen)]
        match = _HELLO.search(self._seen)
        if match is not None or len(self._seen) == _MOST_BYTES:
            self._stop()
        return None if match is None else match[1]

    def _stop(self) -> None:
        self._is_over = True
        self._seen = bytearray()
