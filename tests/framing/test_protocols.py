"""What each protocol says of its messages."""

import struct
from importlib.metadata import EntryPoint

import pytest

from spliceproxy.errors import UsageProblem
from spliceproxy.framing import protocols
from spliceproxy.framing.http1 import HTTP1
from spliceproxy.framing.postgres import POSTGRES
from spliceproxy.framing.protocols import find_protocol, guess_protocol
from spliceproxy.framing.raw import RAW
from spliceproxy.framing.redis import REDIS

from .framed import converse

STARTUP = b"\0\0\0\x11\0\x03\0\0user\0me\0\0"
SSL_REQUEST = b"\0\0\0\x08\x04\xd2\x16\x2f"


def test_pushes_stand_apart() -> None:
    request = b"SUBSCRIBE a\r\nPING\r\n"
    subscribed = b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"
    message = b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n"
    push = b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n"
    _, found = converse(REDIS, request, subscribed + message + push + b"+PONG\r\n")
    assert [(frame.is_push, frame.asked.name) for frame in found] == [
        (False, "SUBSCRIBE"),
        (True, ""),
        (True, ""),
        (False, "PING"),
    ]


def test_the_order_of_a_map_means_nothing() -> None:
    one, other = b"%2\r\n+a\r\n:1\r\n+b\r\n:2\r\n", b"%2\r\n+b\r\n:2\r\n+a\r\n:1\r\n"
    _, found = converse(REDIS, b"", one + other)
    assert found[0].digest == found[1].digest
    assert found[0].fields == {"value": "2 pairs", "value.+a": ":1", "value.+b": ":2"}


def test_too_many_fields_are_a_digest_only() -> None:
    def array(last: bytes) -> bytes:
        return b"*2000\r\n" + b":1\r\n" * 1999 + b":" + last + b"\r\n"

    _, found = converse(REDIS, b"", array(b"1") + array(b"1") + array(b"2"))
    assert [frame.fields for frame in found] == [{}, {}, {}]
    assert found[0].digest == found[1].digest != found[2].digest


def test_a_head_has_no_body_whatever_its_length_says() -> None:
    request = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    _, found = converse(HTTP1, request, answer + answer + b"hello")
    assert [frame.fields.get("body") for frame in found] == [None, "hello"]


def test_a_body_ends_with_its_connection() -> None:
    request = b"GET / HTTP/1.0\r\n\r\n"
    _, found = converse(HTTP1, request, b"HTTP/1.0 200 OK\r\n\r\nhello")
    assert [(frame.is_whole, frame.fields["body"]) for frame in found] == [(True, "hello")]


def test_after_a_switch_nothing_is_framed() -> None:
    request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
    switch = b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
    _, found = converse(HTTP1, request, switch + b"\x81\x05hello")
    assert [(frame.name, frame.size) for frame in found] == [
        ("answer", len(switch)),
        ("unframed", 7),
    ]


def test_postgres_goes_on_in_clear_when_encryption_is_refused() -> None:
    query = b"Q\0\0\0\x0dselect 1\0"
    ready, row = b"Z\0\0\0\x05I", b"D\0\0\0\x0b\0\1\0\0\0\1" + b"1"
    login = b"R\0\0\0\x08\0\0\0\0" + ready
    requests, answers = converse(
        POSTGRES, SSL_REQUEST + STARTUP + query, b"N" + login + row + ready
    )
    assert [frame.name for frame in requests] == ["SSLRequest", "startup", "Query SELECT"]
    assert [(frame.number, frame.name) for frame in answers] == [
        *((0, "encryption"), (0, "Authentication"), (0, "ReadyForQuery")),
        *((1, "DataRow"), (1, "ReadyForQuery")),
    ]
    assert answers[3].fields == {"column[0]": "1"}
    assert answers[3].asked.text == "select 1"


def described(table: int, kind: int, form: bytes = b"\0\0") -> bytes:
    column = b"one\0" + struct.pack("!IhIhi", table, 1, kind, 4, -1) + form
    return b"T" + struct.pack("!IH", 6 + len(column), 1) + column


def test_what_a_postgres_makes_up_is_no_field() -> None:
    key = b"K\0\0\0\x0c\0\0\0\1\xde\xad\xbe\xef"
    data = key + described(20_000, 23) + described(0, 16_400) + described(0, 23, b"\0")
    _, answers = converse(POSTGRES, STARTUP, data)
    column = {"columns[0].name": "one", "columns[0].modifier": "-1", "columns[0].format": "0"}
    assert [frame.fields for frame in answers[:3]] == [
        {},
        column | {"columns[0].type": "23"},
        column | {"columns[0].type": "of the database"},
    ]
    assert list(answers[3].fields) == ["message"]  # it is cut off


def test_postgres_over_tls_is_not_framed() -> None:
    _, answers = converse(POSTGRES, SSL_REQUEST + b"\x16\x03\x01", b"S\x16\x03\x03")
    assert [frame.name for frame in answers] == ["encryption", "unframed"]


@pytest.mark.parametrize(
    ("request_bytes", "response", "name"),
    [
        (b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n", "redis"),
        (b"GET / HTTP/1.1\r\n", b"", "http1"),
        (SSL_REQUEST, b"N", "postgres"),
        (STARTUP, b"R", "postgres"),
        (b"HELO me\r\n", b"220 hello\r\n", "lines"),
        (b"\x16\x03\x01\0", b"\x16", "raw"),
        (b"", b"", "raw"),
    ],
)
def test_guesses(request_bytes: bytes, response: bytes, name: str) -> None:
    assert guess_protocol(request_bytes, response).name == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("redsi", "did you mean 'redis'"),
        ("redis:x", "it has no options"),
        ("length:size=9", "'9' is none of 1 to 8 bytes"),
        ("length:endian=middle", "expected big or little"),
        ("length:sise=1", "did you mean 'size'"),
        ("length:size", "has no value"),
    ],
)
def test_a_mistyped_protocol_is_told(text: str, message: str) -> None:
    with pytest.raises(UsageProblem, match=message):
        find_protocol(text)


def test_other_packages_offer_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    good = EntryPoint("mine", "spliceproxy.framing.raw:RAW", protocols.ENTRY_POINT_GROUP)
    bad = EntryPoint("theirs", "spliceproxy.framing.raw:_make", protocols.ENTRY_POINT_GROUP)

    def found(*, group: str, name: str = "") -> list[EntryPoint]:
        return [one for one in (good, bad) if one.group == group and one.name == name]

    monkeypatch.setattr(protocols, "entry_points", found)
    assert find_protocol("mine") is RAW
    with pytest.raises(UsageProblem, match="is no WireProtocol"):
        find_protocol("theirs")
