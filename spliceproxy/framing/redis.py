"""RESP2 and RESP3, Redis's protocol (https://redis.io/docs/latest/develop/reference/protocol-spec/).

What a server sends unasked (``>``, and messages of channels in RESP2) stands apart from answers.
"""

from spliceproxy.framing.byte_source import ByteSource, MalformedError, Waiting
from spliceproxy.framing.field_values import FieldCollector, as_text
from spliceproxy.framing.frame import Asked, Frame
from spliceproxy.framing.frame_stream import Frames, FrameStream
from spliceproxy.framing.wire_protocol import Exchanges, Framer, WireProtocol

_MOST_LINE_BYTES = 64 << 10  # of an inline command, as in Redis (PROTO_INLINE_MAX_SIZE)
_MOST_DEPTH = 32
_MOST_SHOWN_WORDS = 8
_SCALARS, _BULKS, _ARRAYS, _MAPS = b"+-:,#(_", b"$!=", b"*~>", b"%|"
_CONTAINERS = frozenset(
    {"ACL", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "DEBUG", "FUNCTION", "LATENCY", "MEMORY"}
    | {"MODULE", "OBJECT", "PUBSUB", "SCRIPT", "SLOWLOG", "XGROUP", "XINFO"}
)
"""Commands whose second word is a command of its own."""
_SUBSCRIBE = frozenset({"SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"})
_MESSAGES = frozenset({'"message"', '"pmessage"', '"smessage"'})


def _make() -> tuple[Framer, Framer]:
    requests, answers, exchanges = ByteSource(), ByteSource(), _RedisExchanges()
    return (
        FrameStream(requests, _requests(requests, exchanges)),
        FrameStream(answers, _answers(answers, exchanges)),
    )


class _RedisExchanges(Exchanges):
    has_subscribed = False


def _requests(source: ByteSource, exchanges: _RedisExchanges) -> Frames:
    while True:
        source.mark()  # empty commands before are no part of it
        line = (yield from source.line(_MOST_LINE_BYTES)).removesuffix(b"\r")
        fields = FieldCollector()
        if line[:1] == b"*":
            words = yield from _words(source, _count(line[1:]), fields)
        else:
            words = [as_text(word[:200]) for word in line.split()[:_MOST_SHOWN_WORDS]]
            fields.put("inline", as_text(line))
        size = source.offset - source.start
        if not words:  # Redis passes over empty commands, without an answer
            continue
        name = _name(words)
        exchanges.has_subscribed |= name in _SUBSCRIBE
        asked = Asked(name, " ".join(words)[:200])
        number = exchanges.ask(asked)
        yield Frame(source.start, size, name, fields.digest(), fields.fields, asked, number)


def _words(source: ByteSource, count: int, fields: FieldCollector) -> Waiting[list[str]]:
    words: list[str] = []
    for at in range(count):
        line = yield from source.line(_MOST_LINE_BYTES)
        if line[:1] != b"$" or _count(line[1:].removesuffix(b"\r")) < 0:
            raise MalformedError("a command has words only")
        value = yield from _bulk(source, _count(line[1:].removesuffix(b"\r")))
        fields.put(f"word[{at}]", value)
        if at < _MOST_SHOWN_WORDS:
            words.append(value[:200])
    return words


def _name(words: list[str]) -> str:
    name = words[0][:32].upper()
    return f"{name} {words[1][:32].upper()}" if name in _CONTAINERS and words[1:] else name


def _answers(source: ByteSource, exchanges: _RedisExchanges) -> Frames:
    while True:
        fields = FieldCollector()
        kind = yield from _value(source, fields, "value", 0)
        size, is_push = source.offset - source.start, kind == b">"
        if exchanges.has_subscribed and fields.fields.get("value[0]") in _MESSAGES:
            is_push = True
        number, asked = (0, Asked()) if is_push else exchanges.answer()
        yield Frame(
            *(source.start, size, "answer", fields.digest(), fields.fields),
            *(asked, number, is_push),
        )


def _value(source: ByteSource, fields: FieldCollector, path: str, depth: int) -> Waiting[bytes]:
    """Read a value with all that is in it; return its kind."""
    line = yield from source.line(_MOST_LINE_BYTES)
    if depth > _MOST_DEPTH or line[-1:] != b"\r":
        raise MalformedError("no value of RESP")
    kind, rest = line[:1], line[1:-1]
    if not rest and kind != b"_" and kind != b"+":
        raise MalformedError("a value without a value")
    if kind in _SCALARS:
        fields.put(path, as_text(kind + rest))
        return kind
    count = _count(rest)
    if count < 0:
        fields.put(path, "null")
    elif kind in _BULKS:
        value = yield from _bulk(source, count)
        fields.put(path, f'"{value}"' if kind == b"$" else f"{kind.decode()}{value}")
    elif kind in _ARRAYS:
        fields.put(path, f"{count} elements")
        for at in range(count):
            yield from _value(source, fields, f"{path}[{at}]", depth + 1)
    elif kind in _MAPS:
        yield from _pairs(source, fields, path, count, depth)
        if kind == b"|":  # attributes stand before the value that they belong to
            return (yield from _value(source, fields, path, depth + 1))
    else:
        raise MalformedError("no kind of value")
    return kind


def _pairs(
    source: ByteSource, fields: FieldCollector, path: str, count: int, depth: int
) -> Waiting[None]:
    fields.put(path, f"{count} pairs")
    for at in range(count):
        keys = FieldCollector()
        yield from _value(source, keys, "key", depth + 1)
        key = keys.fields.get("key", "") if len(keys.fields) == 1 else f"key {at}"
        key = key.strip('"')[:64]
        yield from _value(source, fields, f"{path}.{key}", depth + 1)


def _bulk(source: ByteSource, count: int) -> Waiting[str]:
    kept = yield from source.keep(count, 4 << 10)
    if (yield from source.exactly(2)) != b"\r\n":
        raise MalformedError("a bulk of another length")
    return kept.text()


def _count(digits: bytes) -> int:
    if digits == b"-1":
        return -1
    if not digits.isdigit() or len(digits) > 12:
        raise MalformedError("no number of bytes or elements")
    return int(digits)


def _recognises(request: bytes, response: bytes) -> bool:
    head, _, rest = request.partition(b"\r\n")
    return head[:1] == b"*" and head[1:].isdigit() and rest[:1] in (b"$", b"")


REDIS = WireProtocol("redis", _make, _recognises)
