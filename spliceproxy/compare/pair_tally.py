"""What differs between answers that belong together, counted."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from spliceproxy.compare.differences import (
    ABSENT,
    Difference,
    DifferenceLevel,
    compare_frames,
    describe,
    make_difference,
)
from spliceproxy.compare.fingerprint_tally import FingerprintTally
from spliceproxy.compare.first_difference import StreamPlace
from spliceproxy.compare.ignored import IgnorePatterns
from spliceproxy.framing.frame import Frame

_NO_FRAME = Frame(0, 0, "", b"")


@dataclass(slots=True)
class PlaceOfAnswers:
    """Whose answers are compared."""

    connection: str
    time_ns: int = 0
    """When the recorded answer came."""
    is_noise: bool = False
    """The other one is the old version's."""


class PairTally:
    """Compares pair by pair."""

    def __init__(self, tally: FingerprintTally, ignored: IgnorePatterns) -> None:
        self._tally = tally
        self._ignored = ignored

    def compare(
        self,
        one: Frame | None,
        other: Frame | None,
        where: PlaceOfAnswers,
        find_place: Callable[[], StreamPlace | None],
    ) -> None:
        """Compare two answers to one request; None: there is no such answer.

        `find_place` tells where streams that are not framed begin to differ.
        """
        asked = (one or other or _NO_FRAME).asked
        self._tally.compared(asked.name, is_noise=where.is_noise)
        for difference in self._differences(one, other):
            if one is not None and one.name == "stream":
                difference = _with_place(difference, find_place())
            self._count(difference, where, asked.text)

    def compare_endings(self, one: str, other: str, where: PlaceOfAnswers) -> None:
        """Compare how two connections have ended."""
        if one != other:
            difference = make_difference("", DifferenceLevel.ENDING, "(ending)", one, other)
            self._count(difference, where, "")

    def _differences(self, one: Frame | None, other: Frame | None) -> Iterator[Difference]:
        frames, ignored = DifferenceLevel.FRAMES, self._ignored
        if one is not None and other is not None:
            yield from compare_frames(one, other, ignored)
        elif one is not None:
            yield make_difference(one.asked.name, frames, "(missing)", describe(one), ABSENT)
        elif other is not None:
            yield make_difference(other.asked.name, frames, "(extra)", ABSENT, describe(other))

    def _count(self, difference: Difference, where: PlaceOfAnswers, asked: str) -> None:
        if self._ignored.has_path(difference.fingerprint.field):
            return
        if where.is_noise:
            self._tally.noise(difference)
        else:
            self._tally.differs(difference, where.time_ns, where.connection, asked)


def _with_place(difference: Difference, found: StreamPlace | None) -> Difference:
    if found is None:
        return difference
    offset, one, other = found
    texts = (
        f"{difference.recorded}, at {offset}: {one}",
        f"{difference.new}, at {offset}: {other}",
    )
    return Difference(difference.fingerprint, *texts)
