"""Messages as lines for people: a command with its words, a head with its headers, a query.

Each protocol has a function for requests and one for answers. It returns lines, the first of which
says what it is, or None for a message of which bytes tell more.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from spliceproxy.cli.capture.dialogue import byte_rows, is_text, text_rows, visible
from spliceproxy.cli.columns import human_bytes
from spliceproxy.framing.frame import Frame

_CODED = re.compile(rb"^(transfer|content)-encoding:", re.IGNORECASE | re.MULTILINE)
_WITHOUT_PARTS = {"message", "encryption"}
_LOGINS = {0: "Ok", 3: "CleartextPassword", 5: "MD5Password", 7: "GSS", 8: "GSSContinue"} | {
    9: "SSPI",
    10: "SASL",
    11: "SASLContinue",
    12: "SASLFinal",
}


class MessageText(NamedTuple):
    """Lines, the first of which says what it is."""

    lines: list[str]
    is_of_bytes: bool = True
    """Made of the bytes that there are; else of the fields, whatever bytes there are."""


Text = MessageText | None


def message_lines(
    protocol: str, frame: Frame, data: bytes, limit: int, *, is_response: bool
) -> list[str] | None:
    """Return a message as lines of about so many characters; None: bytes tell more.

    `data` is its beginning, at least as much of it as the limit.
    """
    if not frame.is_whole:
        return None
    text = _KNOWN.get(protocol, (_any, _any))[is_response](frame, data)
    if text is None:
        return None
    lines = text.lines if text.is_of_bytes else _cut(text.lines, limit)
    if text.is_of_bytes and len(data) < frame.size:
        lines.append(f"… {human_bytes(frame.size - len(data))} more")
    if frame.is_push:
        lines[0] = f"unasked: {lines[0]}"
    return ["".join(map(visible, line)) for line in lines]


def _cut(lines: list[str], limit: int) -> list[str]:
    kept: list[str] = []
    for number, line in enumerate(lines):
        if limit <= 0:
            return [*kept, f"… {len(lines) - number} lines more"]
        kept.append(line if len(line) <= limit else f"{line[:limit]}… {len(line) - limit} more")
        limit -= len(line) + 1
    return kept


def _any(frame: Frame, data: bytes) -> Text:
    return MessageText([frame.name, *_fields(frame)], is_of_bytes=False) if frame.fields else None


def _fields(frame: Frame, prefix: str = "") -> Iterator[str]:
    for path, value in frame.fields.items():
        if path.startswith(prefix):
            yield f"{path}: {value}"


def _length(frame: Frame, data: bytes) -> Text:
    return None


def _line(frame: Frame, data: bytes) -> Text:
    if not is_text(data):
        return None
    return MessageText(text_rows(data.removesuffix(b"\n").removesuffix(b"\r")))


def _redis_command(frame: Frame, data: bytes) -> Text:
    fields = frame.fields
    words = [_word(value) for path, value in fields.items() if path != "inline"]
    line = " ".join(words) or fields.get("inline", "")
    return MessageText([line], is_of_bytes=False) if fields else None


def _redis_answer(frame: Frame, data: bytes) -> Text:
    values = frame.fields.items()
    lines = [f"{path.removeprefix('value')} {value}".strip() for path, value in values]
    return MessageText(lines, is_of_bytes=False) if lines else None


def _word(word: str) -> str:
    return word if word and " " not in word and '"' not in word else f'"{word}"'


def _http1(frame: Frame, data: bytes) -> Text:
    head, blank, body = data.partition(b"\r\n\r\n")
    if not blank:
        head, blank, body = data.partition(b"\n\n")
    text = head.decode("utf-8", "backslashreplace")
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    if _CODED.search(head) and (decoded := [*_fields(frame, "body"), *_fields(frame, "trailer.")]):
        return MessageText([*lines, "", "(without its encoding)", *decoded], is_of_bytes=False)
    at = frame.offset + len(head) + len(blank)
    return MessageText([*lines, "", *byte_rows(body, at, len(body))] if body else lines)


def _postgres_request(frame: Frame, data: bytes) -> Text:
    return MessageText(_asked(frame, data))


def _postgres_answer(frame: Frame, data: bytes) -> Text:
    return _row(frame, data) or MessageText(_answered(frame, data))


def _asked(frame: Frame, data: bytes) -> list[str]:
    name, payload = frame.name.split(" ")[0], data[5:]
    if name == "startup":
        words = data[8:].rstrip(b"\0").split(b"\0")
        return [" ".join([name, *(_word(_text(word)) for word in words)])]
    if name in ("SSLRequest", "GSSENCRequest", "CancelRequest"):
        return _titled(name, [data[8:]])
    if name == "Parse":
        statement, query, types = [*payload.split(b"\0", 2), b"", b""][:3]
        title = f"{name} {_word(_text(statement))}" if statement else name
        return _titled(title, [query] if types == b"\0\0" else [query, types])
    return _titled(name, [payload])


def _row(frame: Frame, data: bytes) -> Text:
    """Return a message that has parts; their values are cut already, with a digest."""
    fields, kind = frame.fields, data[:1]
    if kind not in (b"D", b"E", b"N", b"S") or not fields or fields.keys() & _WITHOUT_PARTS:
        return None
    between = {b"D": "=", b"S": ": "}.get(kind, " ")
    names = [path.removeprefix("column").removesuffix(".null") for path in fields]
    told = map(between.join, zip(names, fields.values(), strict=True))
    return MessageText([f"{frame.name} {', '.join(told)}"], is_of_bytes=False)


def _answered(frame: Frame, data: bytes) -> list[str]:
    kind = data[:1]
    if frame.name == "encryption":
        return _titled(frame.name, [kind])
    if kind == b"R" and (login := _LOGINS.get(int.from_bytes(data[5:9], "big"))):
        return _titled(f"{frame.name}{login}", [data[9:]])
    if kind == b"T":
        return [f"{frame.name} {', '.join(_columns(data[7:]))}"]
    return _titled(frame.name, [data[5:]])


def _columns(data: bytes) -> Iterator[str]:
    while data:  # 18 bytes about the type follow each name
        name, _, data = data.partition(b"\0")
        yield _word(_text(name))
        data = data[18:]


def _titled(title: str, parts: list[bytes]) -> list[str]:
    text = b" ".join(parts).removesuffix(b"\0")
    first, *rest = text_rows(text)
    return [f"{title} {first}".rstrip(), *rest]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


_Write = Callable[[Frame, bytes], Text]
_KNOWN: dict[str, tuple[_Write, _Write]] = {
    "redis": (_redis_command, _redis_answer),
    "http1": (_http1, _http1),
    "postgres": (_postgres_request, _postgres_answer),
    "lines": (_line, _line),
    "length": (_length, _length),
}
"""Of requests, of answers."""
