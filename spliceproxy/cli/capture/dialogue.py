"""Events as text that a terminal only shows: whatever the traffic has, it does nothing there."""

import codecs
from collections.abc import Iterable, Iterator, Mapping

from spliceproxy.capture.events import Closed, Data, End, Event, Missing, Opened, Sent
from spliceproxy.cli.columns import human_bytes, printable

ARROWS = {"request": "→", "response": "←"}
_FACTS = (
    *("route", "client", "peer", "listener", "backend", "backend_name", "server_name"),
    *("mirror", "mirror_of"),
)
_ROW_BYTES = 16
_INDENT = "    "

Entry = tuple[int, list[str]]
"""What is told of one moment: its time, a line, and what belongs below it."""


class Dialogue:
    """Writes events; `form` is ``text``, ``hex``, or None for text where all is printable."""

    def __init__(self, form: str | None, direction: str | None, limit_bytes: int) -> None:
        self._form = form
        self.direction = direction
        self.limit_bytes = limit_bytes

    def lines(self, event: Event) -> Iterator[str]:
        """Return what there is to tell, line by line."""
        if isinstance(event, Opened):
            yield f"{'goes on' if event.is_continued else 'begins'}, {introduce(event.facts)}"
        elif isinstance(event, Closed):
            yield f"is over: {printable(str(event.facts.get('reason', '')))}"
        elif isinstance(event, Sent):
            if self.direction in (None, "request"):
                yield f"{ARROWS['request']} request, sent up to {event.offset}"
        elif self.direction in (None, event.direction):
            yield f"{ARROWS[event.direction]} {event.direction}{_tell(event)}"
            if isinstance(event, Data):
                yield from self._body(event)

    def _body(self, event: Data) -> Iterator[str]:
        shown = event.data[: self.limit_bytes]
        yield from indented(byte_rows(shown, event.offset, len(event.data), self._form))


def byte_rows(shown: bytes, offset: int, size: int, form: str | None = None) -> Iterator[str]:
    """Return bytes as text or in hexadecimal, and how many of them are not shown."""
    form = form or ("text" if is_text(shown) else "hex")
    yield from text_rows(shown) if form == "text" else hex_rows(shown, offset)
    if len(shown) < size:
        yield f"… {human_bytes(size - len(shown))} more"


def indented(rows: Iterable[str]) -> Iterator[str]:
    """Return rows as they stand below what they belong to."""
    return (_INDENT + row for row in rows)


def _tell(event: Data | End | Missing) -> str:
    match event:
        case Data():
            return f", {len(event.data)} bytes at {event.offset}"
        case End():
            return f" {'was broken off' if event.is_reset else 'ends'} at {event.offset}"
        case Missing():
            return f": {tell_gap(event)}"


def tell_gap(event: Missing) -> str:
    """Tell what is missing, and why."""
    length = "nobody knows how many" if event.length is None else event.length
    why = printable(event.reason) or "no reason is known"
    return f"{length} bytes are missing from {event.offset} on: {why}"


def introduce(facts: Mapping[str, object]) -> str:
    """Tell who talks to whom."""
    told = [f"{name} {printable(str(facts[name]))}" for name in _FACTS if facts.get(name)]
    return ", ".join(told) or "nobody knows who"


def tell_jumps(events: Iterable[Event]) -> Iterator[Event]:
    """Put in what is missing without a record of its own: of one connection, in its order."""
    expected: dict[str, int] = {}
    for event in events:
        if isinstance(event, Data | End | Missing):
            begin = expected.get(event.direction, 0)
            if event.offset > begin:
                why = "its segment is not there" if begin else "it was before the capture"
                length = event.offset - begin
                yield Missing(event.connection, event.time_ns, event.direction, begin, length, why)
            expected[event.direction] = event.offset + _length_of(event)
        yield event


def _length_of(event: Data | End | Missing) -> int:
    if isinstance(event, Data):
        return len(event.data)
    return event.length or 0 if isinstance(event, Missing) else 0


def is_text(data: bytes) -> bool:
    """Whether bytes are text in UTF-8, of which the last character may be cut."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return False
    return all(char.isprintable() or char in "\r\n\t" for char in text)


def text_rows(data: bytes) -> list[str]:
    """Return lines; what is not printable is written as in Python."""
    text = data.decode("utf-8", "backslashreplace")
    rows = text.removesuffix("\n").split("\n")
    return ["".join(map(visible, row)) for row in rows]


def visible(char: str) -> str:
    """Return a character as it may be written to a terminal."""
    return char if char.isprintable() else char.encode("unicode_escape").decode()


def hex_rows(data: bytes, offset: int) -> Iterator[str]:
    """Return rows as hexdump(1) with -C has them."""
    for start in range(0, len(data), _ROW_BYTES):
        row = data[start : start + _ROW_BYTES]
        halves = f"{row[:8].hex(' '):23}  {row[8:].hex(' '):23}"
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)
        yield f"{offset + start:08x}  {halves}  |{text}|"
