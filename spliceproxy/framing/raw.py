"""No framer at all: each direction as a whole."""

from spliceproxy.framing.byte_source import ByteSource
from spliceproxy.framing.frame import Frame
from spliceproxy.framing.frame_stream import Frames, FrameStream
from spliceproxy.framing.wire_protocol import Framer, WireProtocol


def _make() -> tuple[Framer, Framer]:
    requests, answers = ByteSource(), ByteSource()
    return FrameStream(requests, _all(requests)), FrameStream(answers, _all(answers))


def _all(source: ByteSource) -> Frames:
    while (yield from source.some(0)) is not None and not source.is_ended:
        source.take_all()
    size = source.offset - source.start
    if size:
        yield Frame(source.start, size, "stream", source.digest)


RAW = WireProtocol("raw", _make)
