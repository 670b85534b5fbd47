"""Holding a copy with losses against the stream."""

import itertools
from collections.abc import Iterable

from spliceproxy.sinks.account import Gap
from tests.proxy.payload import assert_same


def without_gaps(data: bytes, gaps: Iterable[Gap]) -> bytes:
    """The stream, with zeros where the copy has nothing to show."""
    rest = bytearray(data)
    for gap in gaps:
        rest[gap.offset : gap.offset + gap.length] = bytes(gap.length)
    return bytes(rest)


def assert_equal_outside_of_gaps(copy: bytes, data: bytes, gaps: list[Gap]) -> None:
    """A file has holes at its gaps, and ends early if the last gap reaches the stream's end."""
    assert gaps == sorted(gaps, key=lambda gap: gap.offset)
    for gap, following in itertools.pairwise(gaps):
        assert gap.offset + gap.length < following.offset
    padded = copy + bytes(len(data) - len(copy))
    assert_same(without_gaps(padded, gaps), without_gaps(data, gaps))
    missing = len(data) - len(copy)
    if missing:
        assert gaps
        assert gaps[-1].offset + gaps[-1].length == len(data)
        assert gaps[-1].length >= missing
