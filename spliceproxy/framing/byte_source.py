"""Bytes of a stream that come in pieces, for parsers that are generators.

A parser waits by ``yield from``: it goes on when there is more. So the pieces don't matter to it.
"""

from collections.abc import Generator
from hashlib import blake2b
from typing import TypeVar

from spliceproxy.framing.field_values import KeptBytes

T = TypeVar("T")
Waiting = Generator[None, None, T]

DIGEST_BYTES = 16


class MalformedError(ValueError):
    """The bytes are none of the protocol."""


class ByteSource:
    """Keeps what has not been taken; what has been is remembered as a digest since `mark`."""

    def __init__(self) -> None:
        self.offset = 0
        """Of the next byte that is taken."""
        self.start = 0
        """Of the message."""
        self.is_ended = False
        self._buffer = bytearray()
        self._digest = blake2b(digest_size=DIGEST_BYTES)

    def add(self, data: bytes) -> None:
        """Take in the next piece."""
        self._buffer += data

    def mark(self) -> None:
        """Have a message begin here."""
        self.start = self.offset
        self._digest = blake2b(digest_size=DIGEST_BYTES)

    @property
    def digest(self) -> bytes:
        """Of all bytes taken since the mark."""
        return self._digest.digest()

    def peek(self, most: int) -> bytes:
        """Return what is there, at most so many bytes of it."""
        return bytes(self._buffer[:most])

    def take(self, count: int) -> bytes:
        """Take so many bytes, which must be there."""
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        self._digest.update(data)
        self.offset += len(data)
        return data

    def take_all(self) -> bytes:
        """Take whatever is there."""
        return self.take(len(self._buffer))

    def some(self, most: int) -> Waiting[bytes]:
        """Wait for bytes, and return them without taking them; none: the stream has ended."""
        while not self._buffer and not self.is_ended:
            yield
        return self.peek(most)

    def exactly(self, count: int) -> Waiting[bytes]:
        """Take so many bytes; few enough to be kept."""
        while len(self._buffer) < count:
            yield
        return self.take(count)

    def line(self, most: int) -> Waiting[bytes]:
        """Take a line; return it without its newline.

        Raises:
            MalformedError: it is longer than that.
        """
        searched = 0
        while (found := self._buffer.find(b"\n", searched, most + 1)) < 0:
            searched = len(self._buffer)
            if searched > most:
                raise MalformedError("a line without end")
            yield
        return self.take(found + 1)[:-1]

    def keep(self, count: int, most: int) -> Waiting[KeptBytes]:
        """Take so many bytes, however many; keep the first ones and a digest."""
        kept = KeptBytes(most)
        while count > 0:
            if not self._buffer:
                yield
                continue
            data = self.take(min(count, len(self._buffer)))
            count -= len(data)
            kept.add(data)
        return kept
