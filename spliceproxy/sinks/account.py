"""What became of the bytes that a mirror was offered of one stream."""

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
        """Account for bytes that the mirror does not get."""
        self.dropped_bytes += count
        last = self.gaps[-1] if self.gaps else None
        if last is not None and last.offset + last.length == offset:
            self.gaps[-1] = Gap(last.offset, last.length + count)
        else:
            self.gaps.append(Gap(offset, count))
