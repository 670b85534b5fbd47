"""Protocols of lines; how a line ends, with or without a carriage return, is no difference."""

import re

from spliceproxy.framing.byte_source import ByteSource
from spliceproxy.framing.field_values import FieldCollector, KeptBytes
from spliceproxy.framing.frame import Asked, Frame
from spliceproxy.framing.frame_stream import Frames, FrameStream
from spliceproxy.framing.wire_protocol import Framer, WireProtocol

_PIECE_BYTES = 64 << 10
_TEXT = re.compile(rb"[\t\r\n\x20-\x7e\x80-\xff]*")


def _make() -> tuple[Framer, Framer]:
    requests, answers = ByteSource(), ByteSource()
    return FrameStream(requests, _lines(requests)), FrameStream(answers, _lines(answers))


def _lines(source: ByteSource) -> Frames:
    number = 0
    while (yield from source.some(1)):
        kept, held, is_whole = KeptBytes(), b"", False
        while not is_whole:
            piece = yield from source.some(_PIECE_BYTES)
            if not piece:
                return  # the last one, without an end
            data = held + source.take(piece.find(b"\n") + 1 or len(piece))
            is_whole = data.endswith(b"\n")
            # A carriage return may belong to the end, which the next piece shows.
            held = b"\r" if data.endswith(b"\r") else b""
            kept.add(data[:-1].removesuffix(b"\r") if is_whole else data.removesuffix(held))
        fields = FieldCollector()
        fields.put("line", kept.text())
        size = source.offset - source.start
        yield Frame(source.start, size, "line", fields.digest(), fields.fields, Asked(), number)
        number += 1


def _recognises(request: bytes, response: bytes) -> bool:
    both = (request, response)
    return all(_TEXT.fullmatch(data) and b"\n" in data[:512] for data in both if data) and any(both)


LINES = WireProtocol("lines", _make, _recognises)
