"""What a protocol has to say of itself, so that its streams can be framed."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from spliceproxy.framing.frame import Asked, Frame

MOST_UNANSWERED = 100_000
"""Requests of a connection that are remembered until their answers come."""


class Framer(Protocol):
    """Divides one direction of one connection."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more is understood: all that comes is one message up to the end."""

    def feed(self, data: bytes) -> list[Frame]:
        """Take the next bytes; return the messages that they complete."""

    def end(self) -> list[Frame]:
        """The stream has ended; return what is left of it."""


@dataclass(frozen=True, slots=True)
class WireProtocol:
    """A protocol; other packages offer theirs in the entry point group ``spliceproxy.framers``."""

    name: str
    make: Callable[[], tuple[Framer, Framer]]
    """Returns framers for a new connection: of its requests, and of its answers."""
    recognises: Callable[[bytes, bytes], bool] = lambda _request, _response: False
    """Whether a connection is likely to speak it, by the first bytes of either direction."""


class Exchanges:
    """What the framers of a connection tell each other: which request an answer is for."""

    def __init__(self) -> None:
        self.asked = 0
        """Requests so far."""
        self.answered = 0
        """Answers so far, each of one frame or several."""
        self._waiting: deque[Asked] = deque()
        self._is_over = False

    def ask(self, asked: Asked) -> int:
        """A request is complete; return its number."""
        self.asked += 1
        self._is_over |= len(self._waiting) >= MOST_UNANSWERED
        if self.asked > self.answered and not self._is_over:
            self._waiting.append(asked)
        return self.asked - 1

    @property
    def current(self) -> Asked:
        """The request whose answer comes now; an empty one where it is not known."""
        return self._waiting[0] if self._waiting else Asked()

    def answer(self) -> tuple[int, Asked]:
        """An answer is complete; return the number of its request, and what that was."""
        self.answered += 1
        return self.answered - 1, self._waiting.popleft() if self._waiting else Asked()
