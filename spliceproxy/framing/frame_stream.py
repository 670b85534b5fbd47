"""A framer made of a parser: a generator that yields frames, and None to wait for bytes."""

from collections.abc import Generator

from spliceproxy.framing.byte_source import ByteSource, MalformedError
from spliceproxy.framing.frame import Frame

Frames = Generator[Frame | None, None, None]

UNFRAMED = "unframed"
"""Name of what is left when a stream goes on as its protocol does not, or ends in a message."""


class FrameStream:
    """Where the parser gives up or returns, the rest of the stream is one frame."""

    def __init__(self, source: ByteSource, parser: Frames) -> None:
        self._source = source
        self._parser: Frames | None = parser

    @property
    def is_over(self) -> bool:
        """Whether the parser has given up, or has returned."""
        return self._parser is None

    def feed(self, data: bytes) -> list[Frame]:
        """Take the next bytes; return the messages that they complete."""
        self._source.add(data)
        return self._parse()

    def end(self) -> list[Frame]:
        """The stream has ended; return what is left of it."""
        source = self._source
        source.is_ended = True
        frames = self._parse()
        source.take_all()
        size = source.offset - source.start
        if size:
            digest = source.digest
            frames.append(Frame(source.start, size, UNFRAMED, digest, is_whole=False))
        self._parser = None
        return frames

    def _parse(self) -> list[Frame]:
        frames: list[Frame] = []
        while self._parser is not None:
            try:
                frame = next(self._parser)
            except (MalformedError, StopIteration):
                self._parser = None
                break
            if frame is None:
                return frames
            frames.append(frame)
            self._source.mark()
        self._source.take_all()
        return frames
