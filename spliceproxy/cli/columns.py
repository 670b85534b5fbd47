"""Rows of texts under headings, for a terminal or a pipe."""

from collections.abc import Iterable, Sequence

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400


def align(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return lines whose columns stand below one another; numbers to the right."""
    lines = [list(headings), *([printable(str(cell)) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(align_row(line, widths) for line in lines)


def align_row(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Return one line; what is wider than its column moves the rest."""
    return "  ".join(
        cell.rjust(width) if is_number(cell) else cell.ljust(width)
        for cell, width in zip(cells, widths, strict=True)
    ).rstrip()


def is_number(text: str) -> bool:
    """Whether a cell belongs to the right: a number, with or without a unit, and no address."""
    return text[:1].isdecimal() and text[-1:].isalnum() and ":" not in text


def printable(text: str) -> str:
    """Return a text that a terminal only shows: no control characters of names or reasons."""
    return "".join(char if char.isprintable() else "?" for char in text)


def human_bytes(count: float) -> str:
    """Return a size with the unit that keeps it short."""
    for unit in _UNITS:
        if count < 1024 or unit == _UNITS[-1]:
            break
        count /= 1024
    return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"


def human_seconds(seconds: float) -> str:
    """Return a time with the unit that keeps it short."""
    if seconds < _MINUTE_S:
        return f"{seconds:.1f}s"
    if seconds < _HOUR_S:
        return f"{seconds / _MINUTE_S:.0f}m"
    if seconds < _DAY_S:
        return f"{seconds / _HOUR_S:.1f}h"
    return f"{seconds / _DAY_S:.1f}d"


def by_reason(counts: dict[str, int]) -> str:
    """Return counts by their reasons, the largest first."""
    largest_first = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{reason} {count}" for reason, count in largest_first if count)
