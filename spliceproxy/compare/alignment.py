"""Which recorded answers and which new ones belong together.

Both are numbered by the requests that they answer, and by their order within such an answer.
"""

from collections.abc import Iterator
from itertools import count

from spliceproxy.framing.frame import Frame

Pair = tuple[Frame | None, Frame | None]
_Key = tuple[int, int]


def align(recorded: Iterator[Frame], new: Iterator[Frame]) -> Iterator[Pair]:
    """Return answers side by side; None: there is no such answer.

    After frames of different kinds the rest of that answer is passed over: it is shifted.
    """
    ones, others = _numbered(recorded), _numbered(new)
    one, other = next(ones, None), next(others, None)
    shifted = -1
    while one is not None or other is not None:
        key = min(found[0] for found in (one, other) if found is not None)
        left = one[1] if one is not None and one[0] == key else None
        right = other[1] if other is not None and other[0] == key else None
        if key[0] != shifted:
            yield left, right
        if left is not None and right is not None and left.name != right.name:
            shifted = key[0]
        if left is not None:
            one = next(ones, None)
        if right is not None:
            other = next(others, None)


def _numbered(frames: Iterator[Frame]) -> Iterator[tuple[_Key, Frame]]:
    number, places = -1, count()
    for frame in frames:
        # What cannot be framed has no number, and stands at the end.
        if frame.number > number or not frame.is_whole:
            number = frame.number if frame.is_whole else number + 1
            places = count()
        yield (number, next(places)), frame
