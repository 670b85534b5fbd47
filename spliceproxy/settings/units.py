"""Durations, sizes and percentages as users write them, and the way back.

Everything is bounded and exact: `5s`, `64KiB` and `10%` are kept as written, and what would have
to be rounded is refused.
"""

import re
from decimal import Decimal

from spliceproxy.errors import quote

MAX_DURATION_S = 365 * 86_400
MAX_SIZE_BYTES = 1 << 50

# Largest first: the formatters take the first unit that divides the value.
MILLISECONDS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
BYTES = {
    "PIB": 1 << 50,
    "TIB": 1 << 40,
    "GIB": 1 << 30,
    "MIB": 1 << 20,
    "KIB": 1 << 10,
    "TB": 10**12,
    "GB": 10**9,
    "MB": 10**6,
    "KB": 10**3,
    "B": 1,
    "": 1,
}

# Bounded digits keep Decimal's work, and the magnitude, small.
_QUANTITY = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?)([A-Za-z%]{0,8})", re.ASCII)


def parse_duration(text: str) -> float:
    """Return seconds for `250ms`, `5s`, `10m`, `1h` or `2d`; a bare number is refused, save 0."""
    number, unit = _split(text, "a duration such as 250ms, 5s, 10m, 1h or 2d")
    if not unit and not number:
        return 0.0
    if not unit:
        raise ValueError(f"{text!r} has no unit: write {text}s for seconds, or use ms, m, h, d")
    if unit not in MILLISECONDS:
        raise ValueError(f"unit {unit!r} in {text!r} is not known: expected ms, s, m, h or d")
    milliseconds = number * MILLISECONDS[unit]
    if milliseconds > MAX_DURATION_S * 1000:
        raise ValueError(
            f"{text!r} is too long: expected at most {format_duration(MAX_DURATION_S)}"
        )
    if milliseconds % 1:
        raise ValueError(f"{text!r} is too fine: expected whole milliseconds")
    return int(milliseconds) / 1000


def format_duration(seconds: float) -> str:
    """Return the shortest text that `parse_duration` reads as this, in whole milliseconds."""
    milliseconds = round(seconds * 1000)
    if milliseconds == 0:
        return "0s"
    unit = next(unit for unit, size in MILLISECONDS.items() if milliseconds % size == 0)
    return f"{milliseconds // MILLISECONDS[unit]}{unit}"


def parse_size(text: str) -> int:
    """Return bytes for `64KiB`, `8MiB` (powers of two), `10MB` (of ten) or `4096`."""
    number, unit = _split(text, "a size such as 64KiB, 8MiB, 10MB or 4096")
    if unit.upper() not in BYTES:
        if unit.upper() in {"K", "M", "G", "T"}:
            raise ValueError(f"{text!r} is ambiguous: write {text}iB (powers of 1024) or {text}B")
        raise ValueError(f"unit {unit!r} in {text!r} is not known: expected KiB, MiB, GiB, KB, ...")
    size = number * BYTES[unit.upper()]
    if size > MAX_SIZE_BYTES:
        raise ValueError(f"{text!r} is too large: expected at most {format_size(MAX_SIZE_BYTES)}")
    if size % 1:
        raise ValueError(f"{text!r} is not a whole number of bytes")
    return int(size)


def parse_positive_size(text: str) -> int:
    """Return bytes as `parse_size` does, where none at all would make no sense."""
    size_bytes = parse_size(text)
    if size_bytes == 0:
        raise ValueError(f"{text!r} is too small: expected 1 byte or more")
    return size_bytes


def format_size(size_bytes: int) -> str:
    """Return the text with the largest binary unit that keeps the number whole."""
    for unit, size in BYTES.items():
        if unit.endswith("IB") and size_bytes and size_bytes % size == 0:
            return f"{size_bytes // size}{unit.replace('I', 'i')}"
    return str(size_bytes)


def parse_percent(text: str) -> float:
    """Return a fraction from 0 to 1 for `0%` to `100%`."""
    number, unit = _split(text, "a percentage such as 10% or 0.5%")
    if unit != "%":
        raise ValueError(f"{text!r} is not a percentage: expected one such as 10% or 0.5%")
    if number > 100:
        raise ValueError(f"{text!r} is out of range: expected 0% to 100%")
    return float(number / 100)


def format_percent(fraction: float) -> str:
    """Return the text that `parse_percent` reads as this."""
    return f"{(Decimal(repr(fraction)) * 100).normalize():f}%"


def _split(text: str, expected: str) -> tuple[Decimal, str]:
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"{quote(text)} is not understood: expected {expected}")
    return Decimal(match[1]), match[2]
