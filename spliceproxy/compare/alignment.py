"""Which recorded answers and which new ones belong together.

Both are numbered by the requests that they answer, and by their order within such an answer.
"""

from collections import deque
from collections.abc import Iterator
from typing import Literal

from spliceproxy.framing.frame import Frame

Pair = tuple[Frame | None, Frame | None]
Side = Literal[0, 1]
"""Recorded, new."""
RECORDED: Side = 0
NEW: Side = 1
_Key = tuple[int, int]


class _Answers:
    """Of one side, with their numbers, until it is known what they belong to."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[_Key, Frame]] = deque()
        self.is_ended = False
        self._number = -1
        self._place = 0

    def add(self, frame: Frame) -> None:
        # What cannot be framed has no number, and stands at the end.
        if frame.number > self._number or not frame.is_whole:
            self._number = frame.number if frame.is_whole else self._number + 1
            self._place = 0
        self.waiting.append(((self._number, self._place), frame))
        self._place += 1


class Alignment:
    """Takes answers of both sides as they come."""

    def __init__(self) -> None:
        self._sides = (_Answers(), _Answers())
        self._shifted = -1

    def add(self, side: Side, frame: Frame) -> None:
        """Take one more answer of a side."""
        self._sides[side].add(frame)

    def end(self, side: Side) -> None:
        """A side has no more answers: what the other one has to show beyond is alone."""
        self._sides[side].is_ended = True

    def has(self, side: Side) -> bool:
        """Whether an answer of a side waits for the other one's."""
        return bool(self._sides[side].waiting)

    @property
    def wanted(self) -> Side | None:
        """Of which side an answer has to come first; None: of none, all is over."""
        for side in (RECORDED, NEW):
            if not (self._sides[side].waiting or self._sides[side].is_ended):
                return side
        return None

    def pairs(self) -> Iterator[Pair]:
        """Return what is known to belong together; None: there is no such answer.

        After frames of different kinds the rest of that answer is passed over: it is shifted.
        """
        ones, others = (side.waiting for side in self._sides)
        while self.wanted is None and (ones or others):
            key = min(waiting[0][0] for waiting in (ones, others) if waiting)
            left = ones.popleft()[1] if ones and ones[0][0] == key else None
            right = others.popleft()[1] if others and others[0][0] == key else None
            is_shifted = key[0] == self._shifted
            if left is not None and right is not None and left.name != right.name:
                self._shifted = key[0]
            if not is_shifted:
                yield left, right


def align(recorded: Iterator[Frame], new: Iterator[Frame]) -> Iterator[Pair]:
    """Return all answers of two streams side by side; reads no further than it has to."""
    alignment = Alignment()
    sides = (recorded, new)
    while (side := alignment.wanted) is not None:
        frame = next(sides[side], None)
        if frame is None:
            alignment.end(side)
        else:
            alignment.add(side, frame)
        yield from alignment.pairs()
