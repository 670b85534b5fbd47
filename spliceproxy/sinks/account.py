"""What became of the bytes that a mirror was offered of one stream."""

from bisect import bisect
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gap:
    """A range of the stream that the mirror did not get."""

    offset: int
    length: int


class Account:
    """Every byte offered is delivered, dropped or still queued."""

    def __init__(self) -> None:
        self.offered_bytes = 0
        self.delivered_bytes = 0
        self.dropped_bytes = 0
        self.queued_bytes = 0
        self.gaps: list[Gap] = []
        self.reason = ""
        """Why the mirror is incomplete; empty as long as nothing is missing."""

    def drop(self, count: int, offset: int) -> None:
        """Account for bytes that the mirror does not get; gaps stay sorted, neighbours are one.

        They do not always come in order: what is queued when a mirror fails is given up later
        than what comes after it.
        """
        self.dropped_bytes += count
        gaps = self.gaps
        index = bisect(gaps, offset, key=_offset)
        if index < len(gaps) and gaps[index].offset == offset + count:
            count += gaps.pop(index).length
        before = gaps[index - 1] if index else None
        if before is not None and before.offset + before.length == offset:
            gaps[index - 1] = Gap(before.offset, before.length + count)
        else:
            gaps.insert(index, Gap(offset, count))


def _offset(gap: Gap) -> int:
    return gap.offset
