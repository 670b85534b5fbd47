"""Who gets copies of a stream."""

from typing import Protocol

from spliceproxy.tap.chunk import PipeChunk


class CopyReceiver(Protocol):
    """Takes the copies of one flow, in the order of the stream."""

    holds: bool
    """The source is to be read no further, or its end not to be handed on, until `release` is
    called; it may be so from the beginning."""

    def offer(self, data: bytes) -> None:
        """Take a copy of the next bytes that are in memory, of as many as it wants.

        What it does not want is its own to account for. It is `accept` and `take_bytes` in one.
        """

    def accept(self, count: int) -> int:
        """Say how many of the next ``count`` bytes, from the first on, it wants a copy of.

        Asked where the bytes are in a pipe, before they are copied.
        """

    def take_bytes(self, data: bytes) -> None:
        """Take a copy that was accepted."""

    def take_pipe(self, chunk: PipeChunk) -> None:
        """Take a copy that was accepted, or the first part of it."""

    def miss(self, count: int) -> None:
        """Note that a copy that was accepted could not be made, wholly or in part."""

    def end(self, *, clean: bool) -> None:
        """No more is coming; clean: the stream has ended in an orderly way.

        Told again if the end had to wait for somebody.
        """

    def on_crash(self, error: Exception) -> None:
        """One of these calls has failed in a way that nobody foresaw: give up."""
