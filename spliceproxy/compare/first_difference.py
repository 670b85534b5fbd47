"""Where two streams begin to differ, found by reading both once more."""

from collections.abc import Iterator
from typing import AnyStr

from spliceproxy.compare.gathered_capture import GatheredConnection
from spliceproxy.framing.field_values import as_text

_SHOWN_BYTES = 64


def first_difference(
    recorded: GatheredConnection, new: GatheredConnection
) -> tuple[int, str, str] | None:
    """Return the offset, and what stands there in either stream of answers; None: nowhere."""
    ones, others = _answers(recorded), _answers(new)
    one, other, offset = b"", b"", 0
    while True:
        one = one or next(ones, b"")
        other = other or next(others, b"")
        same = same_beginning(one, other)
        if same < min(len(one), len(other)) or not (one and other):
            break
        offset += same
        one, other = one[same:], other[same:]
    if not one and not other:
        return None
    places = (one[same : same + _SHOWN_BYTES], other[same : same + _SHOWN_BYTES])
    return offset + same, as_text(places[0]), as_text(places[1])


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
