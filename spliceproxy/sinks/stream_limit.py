"""How many streams may be open or closing at once: each has descriptors of its own."""

from dataclasses import dataclass


@dataclass(slots=True)
class StreamLimit:
    """Counts streams, or what they take, for all mirrors that share a limit."""

    most: int = 0
    taken: int = 0

    @property
    def left(self) -> int:
        """How many more there may be."""
        return self.most - self.taken

    @property
    def is_exceeded(self) -> bool:
        """Whether the stream that was counted last is one too many."""
        return self.taken > self.most
