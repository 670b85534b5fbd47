"""Secrets of TLS sessions, as programs write them for Wireshark: NSS's key log format.

https://www.ietf.org/archive/id/draft-ietf-tls-keylogfile-02.html
"""

import re
from collections.abc import Iterable

MOST_BYTES = 256 << 20
"""Of a key log that is read; a session has 0.2 to 1 KB."""

_LINE = re.compile(rb"[A-Z0-9_]{1,64} ([0-9a-fA-F]{64}) [0-9a-fA-F]{2,512}")


class KeyLog:
    """Lines by the random number that a client's hello has."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        """Read lines; those of other forms, such as comments, are passed over."""
        self._lines: dict[bytes, dict[bytes, None]] = {}
        for line in lines:
            match = _LINE.fullmatch(line.strip())
            if match is not None:
                random = bytes.fromhex(match[1].decode())
                self._lines.setdefault(random, {})[match[0]] = None

    def __len__(self) -> int:
        """Return of how many sessions it has secrets."""
        return len(self._lines)

    def secrets_of(self, client_random: bytes) -> bytes:
        """Return the lines of a session; empty if there are none."""
        return b"".join(line + b"\n" for line in self._lines.get(client_random, ()))
