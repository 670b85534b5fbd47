"""The names of segments: they sort by time, and no two writers make the same.

``20261124T070001.123456Z-WRITER-NUMBER.capture``, with the writer in 16 hexadecimal digits. While
it is written ``.open`` follows; when it has been compressed, ``.zst``.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from spliceproxy.formats.capture.layout import SegmentHeader

OPEN_SUFFIX = ".open"
"""Of a segment that is being written, or was left by a crash."""
COMPRESSED_SUFFIX = ".zst"
"""Of a sealed segment that has been compressed."""
NEW_SUFFIX = ".new"
"""Ends the name of what is no segment yet, since it lacks its beginning, or is being compressed."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAME = re.compile(
    r"(?P<stamp>\d{8}T\d{6}\.\d{6}Z)-(?P<writer>[0-9a-f]{16})-(?P<number>\d{6,20})\.capture"
    r"(?P<state>\.open|\.zst)?",
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
    is_compressed: bool = False

    @property
    def sealed_text(self) -> str:
        """The name of the segment when it is sealed, and not compressed."""
        return sealed_name(self.text)

    @property
    def began_ns(self) -> int:
        """The stamp as a time since 1970; 0 if it is none."""
        try:
            began = datetime.strptime(self.stamp, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)
        except ValueError:
            return 0
        return (began - _EPOCH) // timedelta(microseconds=1) * 1000


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
        text,
        found["stamp"],
        int(found["writer"], 16),
        int(found["number"]),
        is_open=found["state"] == OPEN_SUFFIX,
        is_compressed=found["state"] == COMPRESSED_SUFFIX,
    )


def sealed_name(text: str) -> str:
    """Return the name that a segment has when it is sealed, and not compressed."""
    return text.removesuffix(OPEN_SUFFIX).removesuffix(COMPRESSED_SUFFIX)


def later_names(text: str) -> list[str]:
    """Return the names that a segment of this name may have later on, in their order."""
    states = ["", COMPRESSED_SUFFIX] if text.endswith(OPEN_SUFFIX) else [COMPRESSED_SUFFIX]
    is_last = text.endswith(COMPRESSED_SUFFIX)
    return [] if is_last else [sealed_name(text) + state for state in states]


def one_each(names: Iterable[SegmentName]) -> list[SegmentName]:
    """Return the names sorted, and of each segment the latest: it may have two for a moment."""
    latest: dict[str, SegmentName] = {}
    for name in sorted(names, key=lambda name: (name.is_compressed, not name.is_open)):
        latest[name.sealed_text] = name
    return sorted(latest.values(), key=lambda name: name.text)
