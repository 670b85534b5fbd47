"""The Range header: which bytes of a file a request wants (RFC 9110, 14)."""

import re
from dataclasses import dataclass

_BYTES = re.compile(r"bytes=(.*)", re.IGNORECASE | re.DOTALL)
_SPEC = re.compile(r"([0-9]*)-([0-9]*)", re.ASCII)
_MOST_DIGITS = 18  # beyond any file size; Python refuses to read numbers of thousands of digits

MOST_RANGES = 100
"""A header with more gets the whole file: many tiny parts are an attack (RFC 9110, 17.15)."""


class UnsatisfiableError(Exception):
    """No range of a valid header overlaps the file: status 416."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Part of a file; never empty."""

    offset: int
    length: int

    def content_range(self, size_bytes: int) -> str:
        """Return the value of Content-Range."""
        return f"bytes {self.offset}-{self.offset + self.length - 1}/{size_bytes}"


def parse_ranges(header: str, size_bytes: int) -> tuple[ByteRange, ...]:
    """Return the ranges that a file of this size has; none when the header is to be ignored.

    Ignored is what is malformed, has another unit, or asks for more than the whole: the answer is
    then the file (14.2 allows it).

    Raises:
        UnsatisfiableError: the header is valid, and every range lies behind the file's end.
    """
    known = _BYTES.fullmatch(header)
    if known is None:
        return ()
    specs = [spec.strip(" \t") for spec in known[1].split(",", MOST_RANGES + 1)]
    specs = list(filter(None, specs))  # empty list elements are to be accepted (5.6.1.2)
    if not specs or len(specs) > MOST_RANGES:
        return ()
    found: list[ByteRange] = []
    for spec in specs:
        match = _SPEC.fullmatch(spec)
        if match is None or not _is_valid(match[1], match[2]):
            return ()
        found += _in_file(match[1], match[2], size_bytes)
    if size_bytes == 0 and any(spec.startswith("-") for spec in specs):
        return ()  # all of nothing is satisfiable, but Content-Range cannot express it
    if not found:
        raise UnsatisfiableError
    return tuple(found) if sum(part.length for part in found) <= size_bytes else ()


def _is_valid(first: str, last: str) -> bool:
    if not first or not last:
        return bool(first or last)
    return _number(first) <= _number(last)


def _in_file(first: str, last: str, size_bytes: int) -> list[ByteRange]:
    """Return what the file has of a range: one, or none."""
    if first:
        offset = _number(first)
        end = min(_number(last) + 1, size_bytes) if last else size_bytes
    else:
        offset, end = max(0, size_bytes - _number(last)), size_bytes
    return [ByteRange(offset, end - offset)] if offset < end else []


def _number(digits: str) -> int:
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) <= _MOST_DIGITS else 10**_MOST_DIGITS
