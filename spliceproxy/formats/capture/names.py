"""The names of segments: they sort by time, and no two writers make the same.

``20261124T070001.123456Z-WRITER-NUMBER.capture``, with the writer in 16 hexadecimal digits.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from spliceproxy.formats.capture.layout import SegmentHeader

OPEN_SUFFIX = ".open"
"""Of a segment that is being written, or was left by a crash."""

_NAME = re.compile(
    r"(?P<stamp>\d{8}T\d{6}\.\d{6}Z)-(?P<writer>[0-9a-f]{16})-(?P<number>\d{6,20})\.capture"
    r"(?P<open>\.open)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class SegmentName:
    """The name of a segment, taken apart."""

    text: str
    stamp: str
    """When it was begun."""
    writer: int
    number: int
    is_open: bool


def name_segment(header: SegmentHeader) -> str:
    """Return the name of a segment that is sealed."""
    time_s, us = divmod(header.wall_ns // 1000, 1_000_000)
    stamp = f"{datetime.fromtimestamp(time_s, UTC):%Y%m%dT%H%M%S}.{us:06d}Z"
    return f"{stamp}-{header.writer:016x}-{header.segment:06d}.capture"


def parse_segment_name(text: str) -> SegmentName | None:
    """Take the name of a file apart; None: it is no segment."""
    found = _NAME.fullmatch(text)
    if found is None:
        return None
    return SegmentName(
        text, found["stamp"], int(found["writer"], 16), int(found["number"]), bool(found["open"])
    )
