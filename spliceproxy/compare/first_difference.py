"""Where two streams of answers begin to differ."""

from collections.abc import Iterator
from typing import AnyStr

from spliceproxy.compare.alignment import NEW, RECORDED, Side
from spliceproxy.compare.gathered_capture import GatheredConnection
from spliceproxy.framing.field_values import as_text

StreamPlace = tuple[int, str, str]
"""The offset, and what stands there in either stream."""

_SHOWN_BYTES = 64
_MOST_AHEAD_BYTES = 1 << 20
"""So far one stream may be ahead of the other one before the place is given up."""


class StreamComparison:
    """Takes both streams as they come; keeps no more than one is ahead of the other."""

    def __init__(self, most_ahead_bytes: int | None = _MOST_AHEAD_BYTES) -> None:
        self._most_ahead_bytes = most_ahead_bytes
        self._left = (bytearray(), bytearray())
        self._offset = 0
        self._differs = self._is_lost = False

    def add(self, side: Side, data: bytes) -> None:
        """Take the next bytes of one stream."""
        left = self._left[side]
        if self._is_lost or (self._differs and len(left) >= _SHOWN_BYTES):
            return
        left += data
        if self._differs:
            return
        both = min(map(len, self._left))
        one, other = (bytes(each[:both]) for each in self._left)
        same = same_beginning(one, other)
        self._offset += same
        for each in self._left:
            del each[:same]
        self._differs = all(self._left)
        most = self._most_ahead_bytes
        if most is not None and not self._differs and len(left) > most:
            self._is_lost = True
            left.clear()

    @property
    def is_known(self) -> bool:
        """Whether all that is shown of the place has come."""
        return self._is_lost or min(map(len, self._left)) >= _SHOWN_BYTES

    @property
    def behind(self) -> Side:
        """Of which stream less has come."""
        return NEW if len(self._left[NEW]) < len(self._left[RECORDED]) else RECORDED

    @property
    def place(self) -> StreamPlace | None:
        """Where they begin to differ; None: nowhere, or nobody knows."""
        if self._is_lost or not any(self._left):
            return None
        one, other = (as_text(bytes(left[:_SHOWN_BYTES])) for left in self._left)
        return self._offset, one, other


def first_difference(recorded: GatheredConnection, new: GatheredConnection) -> StreamPlace | None:
    """Find the place by reading both streams once more."""
    comparison = StreamComparison(None)
    streams = (_answers(recorded), _answers(new))
    while not comparison.is_known:
        side = comparison.behind
        data = next(streams[side], b"")
        if not data:  # the other one has what is shown of it already, or goes on with it
            other = NEW if side == RECORDED else RECORDED
            comparison.add(other, next(streams[other], b""))
            break
        comparison.add(side, data)
    return comparison.place


def same_beginning(one: AnyStr, other: AnyStr) -> int:
    """Return how much both begin with; by halves, as comparing slices is fast."""
    known, over = 0, min(len(one), len(other)) + 1
    while over - known > 1:
        half = (known + over) // 2
        if one[known:half] == other[known:half]:
            known = half
        else:
            over = half
    return known


def _answers(connection: GatheredConnection) -> Iterator[bytes]:
    return (piece.data for piece in connection.pieces() if piece.is_response and piece.data)
