"""The beginning of a connection, kept until it shows which protocol is spoken."""

from spliceproxy.framing.protocols import GUESS_BYTES, guess_protocol
from spliceproxy.framing.wire_protocol import WireProtocol

_MOST_PIECES = 64
"""Whoever says little in so many pieces has shown what is spoken."""


class FirstBytes:
    """Of both directions, as many as a guess looks at."""

    def __init__(self) -> None:
        self.request = b""
        self.response = b""
        self._pieces = 0

    def add(self, data: bytes, *, is_response: bool) -> None:
        """Take the next piece of a direction."""
        self._pieces += 1
        if is_response:
            self.response += data[: GUESS_BYTES - len(self.response)]
        else:
            self.request += data[: GUESS_BYTES - len(self.request)]

    @property
    def is_enough(self) -> bool:
        """Whether more of them would make no difference."""
        shorter = min(len(self.request), len(self.response))
        return shorter >= GUESS_BYTES or self._pieces >= _MOST_PIECES

    def guess(self) -> WireProtocol:
        """Return what is likely to be spoken."""
        return guess_protocol(self.request, self.response)
