"""Messages that begin with their length, described by options."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

from spliceproxy.errors import not_known, quote
from spliceproxy.framing.byte_source import ByteSource, MalformedError
from spliceproxy.framing.field_values import FieldCollector, as_text
from spliceproxy.framing.frame import Asked, Frame
from spliceproxy.framing.frame_stream import Frames, FrameStream
from spliceproxy.framing.wire_protocol import Framer, WireProtocol

_OPTIONS = ("offset", "size", "endian", "inclusive", "header")
_MOST_HEADER_BYTES = 1024


@dataclass(frozen=True, slots=True)
class LengthFormat:
    """Where the length is, and what it counts."""

    offset: int = 0
    """Of the length in the message."""
    size: int = 4
    """Of the length, in bytes."""
    endian: Literal["big", "little"] = "big"
    is_inclusive: bool = False
    """It counts the header, too."""
    header: int = 0
    """Bytes before those that it counts, at least up to the length's end."""

    @property
    def header_bytes(self) -> int:
        """Of all that stands before the payload."""
        return max(self.header, self.offset + self.size)


def parse_length_format(text: str) -> LengthFormat:
    """Read options such as ``offset=0,size=4,endian=big,inclusive=yes,header=8``.

    Raises:
        ValueError: says which one is wrong, and what is expected.
    """
    given: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if not equals:
            raise ValueError(f"{quote(part)} has no value: expected such as size=4")
        if name not in _OPTIONS:
            raise ValueError(not_known(name, _OPTIONS))
        given[name] = value
    if given.get("endian", "big") not in ("big", "little"):
        raise ValueError("endian: expected big or little")
    if given.get("inclusive", "no") not in ("yes", "no"):
        raise ValueError("inclusive: expected yes or no")
    return LengthFormat(
        _number(given, "offset", "0", range(_MOST_HEADER_BYTES)),
        _number(given, "size", "4", range(1, 9)),
        "little" if given.get("endian") == "little" else "big",
        given.get("inclusive") == "yes",
        _number(given, "header", "0", range(_MOST_HEADER_BYTES + 1)),
    )


def _number(given: dict[str, str], name: str, default: str, allowed: range) -> int:
    text = given.get(name, default)
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and int(text) in allowed):
        raise ValueError(
            f"{name}: {quote(text)} is none of {allowed.start} to {allowed.stop - 1} bytes"
        )
    return int(text)


def length_protocol(form: LengthFormat) -> WireProtocol:
    """Return the protocol whose messages are of that form."""
    return WireProtocol("length", partial(_make, form))


def _make(form: LengthFormat) -> tuple[Framer, Framer]:
    requests, answers = ByteSource(), ByteSource()
    return (
        FrameStream(requests, _messages(requests, form)),
        FrameStream(answers, _messages(answers, form)),
    )


def _messages(source: ByteSource, form: LengthFormat) -> Frames:
    number = 0
    while True:
        header = yield from source.exactly(form.header_bytes)
        end = form.offset + form.size
        length = int.from_bytes(header[form.offset : end], form.endian)
        length -= form.header_bytes if form.is_inclusive else 0
        if length < 0:
            raise MalformedError("a message shorter than its header")
        payload = yield from source.keep(length, 4 << 10)
        fields = FieldCollector()
        fields.put("header", as_text(header[: form.offset] + header[end:]))
        fields.put("payload", payload.text())
        size = source.offset - source.start
        yield Frame(source.start, size, "message", fields.digest(), fields.fields, Asked(), number)
        number += 1
