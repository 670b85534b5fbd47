"""Bytes that are written as text, with escapes for those that are no characters."""

import re

from spliceproxy.errors import quote

MAX_BYTES = 1024
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{2}|.?)", re.DOTALL)
_SHORT = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}
_WRITTEN = {value[0]: f"\\{letter}" for letter, value in _SHORT.items()}


def parse_escaped(text: str) -> bytes:
    """Return the bytes of a text in UTF-8, with its escapes replaced."""
    parts: list[bytes] = []
    end = 0
    for match in _ESCAPE.finditer(text):
        parts += [text[end : match.start()].encode(errors="surrogateescape"), _read(match[1])]
        end = match.end()
    read = b"".join([*parts, text[end:].encode(errors="surrogateescape")])
    if len(read) > MAX_BYTES:
        raise ValueError(f"{len(read)} bytes are too many: expected at most {MAX_BYTES}")
    return read


def _read(escape: str) -> bytes:
    if escape.startswith("x") and len(escape) == 3:
        return bytes([int(escape[1:], 16)])
    if escape not in _SHORT:
        raise ValueError(
            rf"escape {quote(chr(92) + escape)} is not known: expected \r, \n, \t, \0, \\ or \x00"
        )
    return _SHORT[escape]


def format_escaped(data: bytes) -> str:
    """Return the text that `parse_escaped` reads as this."""
    return "".join(
        _WRITTEN.get(byte) or (chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}")
        for byte in data
    )
