"""HTTP/1 (RFC 9112), by h11: a message's meaning is what is left without chunks and compression."""

import json
import re
import zlib
from dataclasses import dataclass, field

import h11

from spliceproxy.framing.byte_source import ByteSource, MalformedError, Waiting
from spliceproxy.framing.field_values import FieldCollector, KeptBytes, as_text
from spliceproxy.framing.frame import Asked, Frame
from spliceproxy.framing.frame_stream import Frames, FrameStream
from spliceproxy.framing.wire_protocol import Exchanges, Framer, WireProtocol

_MOST_HEAD_BYTES = 256 << 10
_MOST_BODY_BYTES = 1 << 20
"""Of a body that is taken apart; a longer one is a digest."""
_OF_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
"""How a body is brought over, which is no part of what a message means."""
_PIECE_BYTES = 16 << 10  # h11 copies what stands behind a message: short pieces, short copies
_REQUEST_LINE = re.compile(rb"[A-Z]{3,16} [^ \r\n]+ HTTP/1\.[01]\r?\n")
_VARIABLE = re.compile(r"\d+|[0-9a-fA-F-]{16,}")
"""A part of a path that is likely to be an id."""


@dataclass(slots=True)
class _Message:
    head: h11.Request | h11.Response | h11.InformationalResponse | None = None
    body: KeptBytes = field(default_factory=lambda: KeptBytes(_MOST_BODY_BYTES))
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)
    switches: bool = False
    """What follows is another protocol."""
    is_over: bool = False

    def note(self, event: object) -> None:
        if isinstance(event, h11.Data):
            self.body.add(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage):
            self.trailers, self.is_over = list(event.headers), True
        elif isinstance(event, h11.Request | h11.Response | h11.InformationalResponse):
            self.head = event
        else:  # the end of the stream, or of what h11 understands after a 101
            self.switches, self.is_over = event is h11.PAUSED, True

    def header(self, name: bytes) -> bytes:
        head = self.head
        values = [] if head is None else [value for key, value in head.headers if key == name]
        return b", ".join(values).lower()


def _make() -> tuple[Framer, Framer]:
    requests, answers, exchanges = ByteSource(), ByteSource(), Exchanges()
    return (
        FrameStream(requests, _requests(requests, exchanges)),
        FrameStream(answers, _answers(answers, exchanges)),
    )


def _requests(source: ByteSource, exchanges: Exchanges) -> Frames:
    while (yield from source.some(1)):
        message = yield from _read(source, _connection(h11.SERVER))
        head = message.head
        if not isinstance(head, h11.Request):
            return
        asked = _describe(head, message)
        fields = FieldCollector()
        fields.put("method", asked.method)
        fields.put("target", as_text(head.target))
        _put_message(fields, message)
        size, number = source.offset - source.start, exchanges.ask(asked)
        yield Frame(source.start, size, asked.name, fields.digest(), fields.fields, asked, number)


def _describe(head: h11.Request, message: _Message) -> Asked:
    method, target = as_text(head.method)[:32], as_text(head.target)
    parts = target.partition("?")[0].split("/")
    path = "/".join("*" if _VARIABLE.fullmatch(part) else part for part in parts)
    upgrade = as_text(message.header(b"upgrade"))
    return Asked(f"{method} {path[:200]}", f"{method} {target}"[:200], method, upgrade)


def _answers(source: ByteSource, exchanges: Exchanges) -> Frames:
    while (yield from source.some(1)):
        asked = exchanges.current
        message = yield from _read(source, _awaiting(asked))
        head = message.head
        if head is None or isinstance(head, h11.Request):
            return
        fields = FieldCollector()
        fields.put("status", str(head.status_code))
        _put_message(fields, message)
        size = source.offset - source.start
        number, asked = exchanges.answer()
        name = "answer"
        yield Frame(source.start, size, name, fields.digest(), fields.fields, asked, number)
        if message.switches or (asked.method == "CONNECT" and 200 <= head.status_code < 300):
            return


def _connection(role: type[h11.SERVER] | type[h11.CLIENT]) -> h11.Connection:
    return h11.Connection(role, max_incomplete_event_size=_MOST_HEAD_BYTES)


def _awaiting(asked: Asked) -> h11.Connection:
    """Return a connection whose client has asked for what comes."""
    connection = _connection(h11.CLIENT)
    headers = [("Host", "recorded")]
    if asked.upgrade:
        headers += [("Connection", "upgrade"), ("Upgrade", "recorded")]
    connection.send(h11.Request(method=asked.method or "GET", target="/", headers=headers))
    connection.send(h11.EndOfMessage())
    return connection


def _read(source: ByteSource, connection: h11.Connection) -> Waiting[_Message]:
    """Read one message; without a head: there is none."""
    message, piece = _Message(), b""
    try:
        while not message.is_over:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                source.take(len(piece))
                piece = yield from source.some(_PIECE_BYTES)
                connection.receive_data(piece)
            else:
                message.note(event)
    except h11.ProtocolError as problem:
        raise MalformedError(str(problem)) from None
    source.take(len(piece) - len(connection.trailing_data[0]))
    return message


def _put_message(fields: FieldCollector, message: _Message) -> None:
    assert message.head is not None  # noqa: S101 - both callers have looked
    for name, value in message.head.headers:
        if name in _OF_FRAMING and message.body.size:
            continue
        fields.put(f"header.{as_text(name)}", as_text(value))
    for name, value in message.trailers:
        fields.put(f"trailer.{as_text(name)}", as_text(value))
    _put_body(fields, message)


def _put_body(fields: FieldCollector, message: _Message) -> None:
    body = message.body
    if not body.size:
        return
    plain = _unpack(body, message.header(b"content-encoding"))
    if plain is not None and b"json" in message.header(b"content-type"):
        try:
            value = json.loads(plain)
        except (ValueError, RecursionError):
            pass
        else:
            fields.put_json("body", value)
            return
    fields.put("body", body.text() if plain is None else _text(plain))


def _unpack(body: KeptBytes, encoding: bytes) -> bytes | None:
    """Return a body without its compression; None: it is too long, or compressed otherwise."""
    if not body.is_all:
        return None
    data = bytes(body.first)
    if encoding not in (b"gzip", b"x-gzip", b"deflate"):
        return data if encoding in (b"", b"identity") else None
    unpacker = zlib.decompressobj(47)  # with a header, of gzip or zlib
    try:
        plain = unpacker.decompress(data, _MOST_BODY_BYTES)
    except zlib.error:
        return None
    return plain if unpacker.eof else None


def _text(data: bytes) -> str:
    kept = KeptBytes()
    kept.add(data)
    return kept.text()


def _recognises(request: bytes, response: bytes) -> bool:
    return _REQUEST_LINE.match(request) is not None or response.startswith(b"HTTP/1.")


HTTP1 = WireProtocol("http1", _make, _recognises)
