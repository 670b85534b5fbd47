"""PostgreSQL's protocol, version 3 (https://www.postgresql.org/docs/current/protocol-message-formats.html).

Answers to a query are those up to ReadyForQuery. After an agreement on TLS nothing can be framed.
What each server makes up has no fields: keys for cancelling, and ids of tables and of users' types.
"""

import struct
from collections.abc import Iterator

from spliceproxy.framing.byte_source import ByteSource, MalformedError, Waiting
from spliceproxy.framing.field_values import MOST_FIELDS, FieldCollector, KeptBytes, as_text
from spliceproxy.framing.frame import Asked, Frame
from spliceproxy.framing.frame_stream import Frames, FrameStream
from spliceproxy.framing.wire_protocol import Exchanges, Framer, WireProtocol

_MOST_KEPT_BYTES = 256 << 10
_MOST_STARTUP_BYTES = 10_000  # MAX_STARTUP_PACKET_LENGTH in PostgreSQL's pqcomm.h
_CANCEL, _SSL, _GSS = 80877102, 80877103, 80877104
_FIRST_OWN_OID = 16384  # FirstNormalObjectId in PostgreSQL's access/transam.h
_PUSHES = frozenset({b"A", b"N"})
_NAMES = {
    b"R": "Authentication",
    b"S": "ParameterStatus",
    b"K": "BackendKeyData",
    b"Z": "ReadyForQuery",
    b"T": "RowDescription",
    b"D": "DataRow",
    b"C": "CommandComplete",
    b"E": "ErrorResponse",
    b"N": "NoticeResponse",
    b"A": "NotificationResponse",
    b"1": "ParseComplete",
    b"2": "BindComplete",
    b"3": "CloseComplete",
    b"n": "NoData",
    b"t": "ParameterDescription",
    b"s": "PortalSuspended",
    b"I": "EmptyQueryResponse",
    b"G": "CopyInResponse",
    b"H": "CopyOutResponse",
    b"d": "CopyData",
    b"c": "CopyDone",
    b"v": "NegotiateProtocolVersion",
    b"V": "FunctionCallResponse",
    b"W": "CopyBothResponse",
}
_ASKS = {
    b"Q": "Query",
    b"P": "Parse",
    b"B": "Bind",
    b"D": "Describe",
    b"E": "Execute",
    b"C": "Close",
    b"S": "Sync",
    b"H": "Flush",
    b"F": "FunctionCall",
    b"X": "Terminate",
    b"p": "password",
    b"d": "CopyData",
    b"c": "CopyDone",
    b"f": "CopyFail",
}


class _PostgresExchanges(Exchanges):
    encryption_asked = 0
    """Requests for encryption whose answer, a single byte, has not come."""


def _make() -> tuple[Framer, Framer]:
    requests, answers, exchanges = ByteSource(), ByteSource(), _PostgresExchanges()
    return (
        FrameStream(requests, _requests(requests, exchanges)),
        FrameStream(answers, _answers(answers, exchanges)),
    )


def _requests(source: ByteSource, exchanges: _PostgresExchanges) -> Frames:
    code = _SSL
    while code in (_SSL, _GSS):
        length, code = struct.unpack("!II", (yield from source.exactly(8)))
        if not 8 <= length <= _MOST_STARTUP_BYTES or not _is_startup(code):
            raise MalformedError("no startup packet")
        body = yield from source.exactly(length - 8)
        name = {_SSL: "SSLRequest", _GSS: "GSSENCRequest", _CANCEL: "CancelRequest"}.get(code)
        exchanges.encryption_asked += code in (_SSL, _GSS)
        asked = Asked(name or "startup", name or as_text(body.replace(b"\0", b" "))[:200])
        number = exchanges.ask(asked) if name is None else 0
        fields = FieldCollector()
        fields.put("parameters", as_text(body))
        yield _frame(source, asked.name, fields, asked, number)
    if code != _CANCEL:
        yield from _queries(source, exchanges)


def _is_startup(code: int) -> bool:
    return code in (_CANCEL, _SSL, _GSS) or code >> 16 == 3


def _queries(source: ByteSource, exchanges: Exchanges) -> Frames:
    statement = ""
    while True:
        kind, body = yield from _message(source)
        if kind not in _ASKS:
            raise MalformedError("no message of a client")
        text = bytes(body.first).lstrip(b"\0").partition(b"\0")[0]
        if kind == b"P":  # its name, then its text
            text = bytes(body.first).partition(b"\0")[2].partition(b"\0")[0]
        if kind in b"QP" and not (kind == b"P" and statement):
            statement = as_text(text)[:200].strip()
        name = f"{_ASKS[kind]} {statement.split(' ')[0][:32].upper()}".strip()
        asked = Asked(name, statement)
        number = exchanges.asked
        if kind in b"QSF":  # what ReadyForQuery answers
            number, statement = exchanges.ask(asked), ""
        fields = FieldCollector()
        fields.put("message", _ASKS[kind] + body.text())
        yield _frame(source, name, fields, asked, number)


def _answers(source: ByteSource, exchanges: _PostgresExchanges) -> Frames:
    while first := (yield from source.some(1)):
        if exchanges.encryption_asked:
            exchanges.encryption_asked -= 1
            if first in (b"S", b"N", b"G"):
                source.take(1)
                fields = FieldCollector()
                fields.put("encryption", first.decode())
                yield _frame(source, "encryption", fields, Asked("SSLRequest"), 0)
                if first != b"N":
                    return
                continue
        kind, body = yield from _message(source)
        if kind not in _NAMES:
            raise MalformedError("no message of a server")
        fields = FieldCollector()
        _put_answer(fields, kind, body)
        number, asked = exchanges.answered, exchanges.current
        if kind == b"Z":
            number, asked = exchanges.answer()
        yield _frame(source, _NAMES[kind], fields, asked, number, is_push=kind in _PUSHES)


def _frame(
    source: ByteSource,
    name: str,
    fields: FieldCollector,
    asked: Asked,
    number: int,
    *,
    is_push: bool = False,
) -> Frame:
    size = source.offset - source.start
    return Frame(source.start, size, name, fields.digest(), fields.fields, asked, number, is_push)


def _message(source: ByteSource) -> Waiting[tuple[bytes, KeptBytes]]:
    head = yield from source.exactly(5)
    kind, length = struct.unpack("!cI", head)
    if not 4 <= length < 1 << 31:
        raise MalformedError("no length of a message")
    return kind, (yield from source.keep(length - 4, _MOST_KEPT_BYTES))


def _put_answer(fields: FieldCollector, kind: bytes, body: KeptBytes) -> None:
    data = bytes(body.first)
    parts = _parts(kind, data) if body.is_all else None
    if parts is None:
        fields.put("message", body.text())
        return
    for path, value in parts:
        kept = KeptBytes()
        kept.add(value)
        fields.put(path, kept.text())


def _parts(kind: bytes, data: bytes) -> list[tuple[str, bytes]] | None:
    """Take a message apart; None: it is of a kind without parts, or not built as it says."""
    try:
        if kind == b"D":
            return list(_columns(data))
        if kind == b"T":
            return list(_descriptions(data))
        if kind == b"K":
            return []
        if kind in b"EN":
            return [
                (as_text(part[:1]), part[1:]) for part in data.removesuffix(b"\0\0").split(b"\0")
            ]
        if kind == b"S":
            name, value, _ = data.split(b"\0")
            return [(as_text(name), value)]
    except (struct.error, ValueError):
        pass
    return None


def _columns(data: bytes) -> Iterator[tuple[str, bytes]]:
    (count,) = struct.unpack_from("!H", data)
    at = 2
    if count > MOST_FIELDS:
        raise ValueError("too many columns")
    for column in range(count):
        (length,) = struct.unpack_from("!i", data, at)
        at += 4
        value = b"NULL" if length < 0 else data[at : at + length]
        at += max(0, length)
        yield (f"column[{column}].null" if length < 0 else f"column[{column}]"), value
    if at != len(data):
        raise ValueError("a row of another length")


def _descriptions(data: bytes) -> Iterator[tuple[str, bytes]]:
    (count,) = struct.unpack_from("!H", data)
    at = 2
    if count * 4 > MOST_FIELDS:
        raise ValueError("too many columns")
    for column in range(count):
        end = data.index(b"\0", at)
        _, _, kind, _, modifier, form = struct.unpack_from("!IhIhih", data, end + 1)
        yield f"columns[{column}].name", data[at:end]
        named = str(kind) if kind < _FIRST_OWN_OID else "of the database"
        for field, value in (("type", named), ("modifier", modifier), ("format", form)):
            yield f"columns[{column}].{field}", str(value).encode()
        at = end + 1 + struct.calcsize("!IhIhih")
    if at != len(data):
        raise ValueError("a description of another length")


def _recognises(request: bytes, response: bytes) -> bool:
    if len(request) < 8:
        return False
    length, code = struct.unpack_from("!II", request)
    return 8 <= length <= _MOST_STARTUP_BYTES and _is_startup(code)


POSTGRES = WireProtocol("postgres", _make, _recognises)
