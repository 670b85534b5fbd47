"""The two ends of a ring. Positions are private to each end; only counts cross over."""

from __future__ import annotations

from collections.abc import Iterator

from tools.companions.ring.counters import Counter, has_ended
from tools.companions.ring.errors import (
    ReaderGoneError,
    RingCorruptError,
    RingTimeoutError,
    WriterDiedError,
)


class _End:
    """What both ends know: where they are, and how much they may touch from there on."""

    def __init__(
        self, memory: memoryview, incoming: Counter, outgoing: Counter, peer_fd: int
    ) -> None:
        self._memory = memory
        self._incoming = incoming
        self._outgoing = outgoing
        self._peer_fd = peer_fd
        self._position = 0
        self._credit_bytes = 0
        self._is_open = True

    def _collect(self) -> None:
        """Take what the other end announced; its counts are believed within the capacity only."""
        self._credit_bytes += self._incoming.take()
        if not 0 <= self._credit_bytes <= len(self._memory):
            raise RingCorruptError(
                f"{self._credit_bytes:,} bytes announced in a ring of {len(self._memory):,}"
            )

    def _await_news(self, timeout_s: float) -> bool:
        """Wait for the other end to announce something; False when it ended and left nothing."""
        if self._incoming.wait(self._peer_fd, timeout_s):
            return True
        if has_ended(self._peer_fd):
            return self._incoming.wait(self._peer_fd, 0)
        raise RingTimeoutError(timeout_s)

    def _stretches(self, count: int) -> Iterator[memoryview]:
        """Yield the next `count` bytes of the ring: one piece, or two around its end.

        The caller releases each: a view that is left, in a traceback, would hold the map.
        """
        first = min(count, len(self._memory) - self._position)
        yield self._memory[self._position : self._position + first]
        if first < count:
            yield self._memory[: count - first]

    def _advance(self, count: int) -> None:
        self._position = (self._position + count) % len(self._memory)
        self._credit_bytes -= count
        self._outgoing.add(count)

    def close(self) -> None:
        """Tell the other end that this one is done. Idempotent; the memory stays its owner's."""
        if self._is_open:
            self._is_open = False
            self._outgoing.close()


class Writer(_End):
    """The only producer of a ring. Its credit is room."""

    def __init__(self, memory: memoryview, freed: Counter, filled: Counter, reader_fd: int) -> None:
        super().__init__(memory, freed, filled, reader_fd)
        self._credit_bytes = len(memory)

    def put(self, data: memoryview) -> int:
        """Copy in as much as there is room for, and publish it; how much. Never waits.

        Raises:
            ReaderGoneError: the reader has closed the ring.
            RingCorruptError: the reader announced more room than the ring has.
        """
        if self._credit_bytes < len(data):
            self._collect()
            if self._incoming.is_closed:
                raise ReaderGoneError
        count = min(len(data), self._credit_bytes)
        copied = 0
        for stretch in self._stretches(count):
            with stretch:
                stretch[:] = data[copied : copied + len(stretch)]
                copied += len(stretch)
        self._advance(count)
        return count

    def write(self, data: bytes | memoryview, timeout_s: float) -> None:
        """Publish all of it, waiting for room as often as needed.

        Raises:
            ReaderGoneError: the reader closed the ring or died.
            RingTimeoutError: no room came up for `timeout_s` seconds.
            RingCorruptError: the reader announced more room than the ring has.
        """
        left = memoryview(data)
        while left:
            count = self.put(left)
            if not count and not self._await_news(timeout_s):
                raise ReaderGoneError
            left = left[count:]


class Reader(_End):
    """The only consumer of a ring. Its credit is bytes."""

    def __init__(self, memory: memoryview, filled: Counter, freed: Counter, writer_fd: int) -> None:
        super().__init__(memory, filled, freed, writer_fd)
        self.read_bytes = 0

    def take_into(self, buffer: memoryview) -> int:
        """Copy out what is there, as far as the buffer goes; how much. Never waits.

        Raises:
            RingCorruptError: the writer announced more bytes than the ring holds.
        """
        if not self._credit_bytes:
            self._collect()
        count = min(len(buffer), self._credit_bytes)
        copied = 0
        for stretch in self._stretches(count):
            with stretch:
                buffer[copied : copied + len(stretch)] = stretch
                copied += len(stretch)
        self._advance(count)
        self.read_bytes += count
        return count

    def read_into(self, buffer: memoryview, timeout_s: float) -> int:
        """Copy out what is there, waiting for the first byte; 0 at the end of the stream.

        Raises:
            WriterDiedError: the writer ended without closing; all it had published was read.
            RingTimeoutError: nothing came for `timeout_s` seconds.
            RingCorruptError: the writer announced more bytes than the ring holds.
        """
        while not (count := self.take_into(buffer)):
            if self._incoming.is_closed:
                return 0
            if not self._await_news(timeout_s):
                raise WriterDiedError(self.read_bytes)
        return count
