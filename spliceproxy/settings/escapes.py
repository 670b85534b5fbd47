"""Bytes that are written as text, with escapes for those that are no characters, or in hex."""

import re

from spliceproxy.errors import quote

MAX_BYTES = 1024
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{2}|.?)", re.DOTALL)
_SHORT = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}
_WRITTEN = {value[0]: f"\\{letter}" for letter, value in _SHORT.items()}
_BYTE_OR_CHARACTER = re.compile("[\x80-\xff]")
_HEX = "hex"


def read_bytes(value: object) -> object:
    """Read a text with escapes, or a mapping of `hex` alone; a program gives bytes.

    Raises:
        ValueError: it is neither, or too long.
    """
    if isinstance(value, str):
        return parse_escaped(value)
    if not isinstance(value, dict | tuple):
        return value
    if isinstance(value, tuple) or set(value) != {_HEX} or not isinstance(value[_HEX], str):
        raise ValueError('expected a text, or bytes as in {hex: "16 03 01"}')
    return _parse_hex(value[_HEX])


def parse_escaped(text: str) -> bytes:
    r"""Return the bytes of a text in UTF-8, with its escapes replaced.

    Raises:
        ValueError: an escape is not known, or the text is too long or ambiguous. YAML itself reads
            "\xd2" within double quotes, as the character U+00D2, which is two bytes in UTF-8.
    """
    if match := _BYTE_OR_CHARACTER.search(text):
        raise ValueError(_say_ambiguous(match[0]))
    parts: list[bytes] = []
    end = 0
    for match in _ESCAPE.finditer(text):
        parts += [text[end : match.start()].encode(errors="surrogateescape"), _read(match[1])]
        end = match.end()
    return _bounded(b"".join([*parts, text[end:].encode(errors="surrogateescape")]))


def _say_ambiguous(character: str) -> str:
    escape, utf8 = rf"\x{ord(character):02x}", character.encode().hex(" ")
    return (
        f"the character U+{ord(character):04X} is ambiguous, as YAML reads "
        f"\"{escape}\" within double quotes so: for the byte write '{escape}' in single quotes, "
        f'for the character {{hex: "{utf8}"}}'
    )


def _parse_hex(text: str) -> bytes:
    try:
        read = bytes.fromhex(text)
    except ValueError:
        read = b""
    if not read:
        raise ValueError(f'{quote(text)} is not in hex: expected pairs of digits, as in "16 03 01"')
    return _bounded(read)


def _bounded(read: bytes) -> bytes:
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
