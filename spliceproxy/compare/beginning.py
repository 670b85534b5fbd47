"""What a connection begins with, kept until it is known which protocol it speaks."""

from spliceproxy.compare.gathered_capture import CapturedPiece
from spliceproxy.framing.protocols import GUESS_BYTES, guess_protocol
from spliceproxy.framing.wire_protocol import WireProtocol

_MOST_PIECES = 64


class Beginning:
    """Takes pieces as long as they may change the guess.

    Who can't wait for the rest takes a whole exchange for enough.
    """

    def __init__(self, *, is_hurried: bool = False) -> None:
        self._is_hurried = is_hurried
        self.pieces: list[CapturedPiece] = []
        self._sizes = [0, 0]
        self._is_over = False

    def add(self, piece: CapturedPiece) -> None:
        """Take one more."""
        if self._is_hurried and not piece.is_response and all(self._sizes):
            self._is_over = True  # a request, its answer, and the next one
        self.pieces.append(piece)
        self._sizes[piece.is_response] += len(piece.data)

    @property
    def is_enough(self) -> bool:
        """Whether no more is looked at."""
        return self._is_over or min(self._sizes) >= GUESS_BYTES or len(self.pieces) >= _MOST_PIECES

    @property
    def size(self) -> int:
        """Bytes of all pieces."""
        return sum(self._sizes)

    def guess(self) -> WireProtocol:
        """Return what it is likely to be."""
        first = [b"", b""]
        for piece in self.pieces:
            have = first[piece.is_response]
            first[piece.is_response] += piece.data[: GUESS_BYTES - len(have)]
        return guess_protocol(first[False], first[True])
