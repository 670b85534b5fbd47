"""What a connection begins with, kept until it is known which protocol it speaks."""

from spliceproxy.compare.gathered_capture import CapturedPiece
from spliceproxy.framing.first_bytes import FirstBytes
from spliceproxy.framing.wire_protocol import WireProtocol


class Beginning:
    """Takes pieces as long as they may change the guess.

    Who can't wait for the rest takes a whole exchange for enough.
    """

    def __init__(self, *, is_hurried: bool = False) -> None:
        self._is_hurried = is_hurried
        self.pieces: list[CapturedPiece] = []
        self._first = FirstBytes()
        self._sizes = [0, 0]
        self._is_over = False

    def add(self, piece: CapturedPiece) -> None:
        """Take one more."""
        if self._is_hurried and not piece.is_response and all(self._sizes):
            self._is_over = True  # a request, its answer, and the next one
        self.pieces.append(piece)
        self._sizes[piece.is_response] += len(piece.data)
        self._first.add(piece.data, is_response=piece.is_response)

    @property
    def is_enough(self) -> bool:
        """Whether no more is looked at."""
        return self._is_over or self._first.is_enough

    @property
    def size(self) -> int:
        """Bytes of all pieces."""
        return sum(self._sizes)

    def guess(self) -> WireProtocol:
        """Return what it is likely to be."""
        return self._first.guess()
