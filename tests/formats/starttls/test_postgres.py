import struct

import pytest

from spliceproxy import reasons
from spliceproxy.formats.need_more import NeedMore
from spliceproxy.formats.starttls.negotiation import Then, Turn
from spliceproxy.formats.starttls.postgres import PostgresClientSide, PostgresServerSide
from tests.formats.starttls.talking import converse, play, refusal

SSL_REQUEST = struct.pack("!II", 8, 80877103)
GSS_REQUEST = struct.pack("!II", 8, 80877104)
LOGIN = struct.pack("!II", 17, 196608) + b"user\0me\0\0"
HELLO = b"\x16\x03\x01"


def cancel(key: bytes = b"4444") -> bytes:
    return struct.pack("!III", 12 + len(key), 80877102, 77) + key


def test_tls_is_asked_for_and_granted() -> None:
    assert play(PostgresServerSide(), SSL_REQUEST) == [b"", b"S", Then.TLS]
    assert play(PostgresServerSide(), GSS_REQUEST, SSL_REQUEST) == [b"", b"N", b"S", Then.TLS]
    assert play(PostgresClientSide(), b"S") == [SSL_REQUEST, b"", Then.TLS]
    converse(PostgresClientSide(), PostgresServerSide())


def test_a_client_may_begin_with_tls_at_once() -> None:
    """Its hello stays where it is, and what it is for is to be agreed on."""
    assert PostgresServerSide().read(HELLO) == Turn(0, b"", Then.TLS, "postgresql")
    assert refusal(PostgresServerSide(), GSS_REQUEST, HELLO).why == reasons.BAD_STARTTLS


@pytest.mark.parametrize("early", [HELLO, LOGIN, SSL_REQUEST, b"\0"])
@pytest.mark.parametrize("request_", [SSL_REQUEST, GSS_REQUEST])
def test_nothing_may_come_behind_the_request(request_: bytes, early: bytes) -> None:
    error = refusal(PostgresServerSide(), request_ + early)
    assert error.why == reasons.PLAINTEXT_BEFORE_TLS
    assert not error.last_words


@pytest.mark.parametrize("early", [b"E", b"S", HELLO])
def test_nothing_may_come_behind_the_answer(early: bytes) -> None:
    error = refusal(PostgresClientSide(), b"S" + early)
    assert error.why == reasons.BACKEND_PLAINTEXT_BEFORE_TLS


def test_a_login_without_tls_is_told_what_to_do() -> None:
    error = refusal(PostgresServerSide(), LOGIN)
    assert error.why == reasons.NO_STARTTLS
    kind, length = error.last_words[:1], int.from_bytes(error.last_words[1:5])
    assert (kind, length) == (b"E", len(error.last_words) - 1)
    fields = error.last_words[5:-2].split(b"\0")
    assert fields[:3] == [b"SFATAL", b"VFATAL", b"C28000"]
    assert b"sslmode=require" in fields[3]


def test_a_request_to_cancel_passes() -> None:
    """With keys of four bytes, as up to version 17, and longer ones."""
    for key in (b"4444", b"k" * 256):
        assert PostgresServerSide().read(cancel(key)) == Turn(0, b"", Then.PLAIN)
        assert PostgresServerSide().read(cancel(key)[:-1]) == NeedMore(len(cancel(key)))
    assert refusal(PostgresServerSide(), cancel() + LOGIN).why == reasons.PLAINTEXT_BEFORE_TLS
    assert refusal(PostgresServerSide(), cancel(b"")).why == reasons.BAD_STARTTLS
    assert refusal(PostgresServerSide(), cancel(b"k" * 257)).why == reasons.BAD_STARTTLS


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x00\x01",
        struct.pack("!II", 9, 80877103),
        struct.pack("!II", 7, 196608),
        struct.pack("!II", 10_001, 196608),
        struct.pack("!II", 8, 80877105),
        b"\xff" * 8,
    ],
)
def test_what_is_of_no_database(said: bytes) -> None:
    assert refusal(PostgresServerSide(), said).why == reasons.BAD_STARTTLS


def test_encryption_by_kerberos_is_refused_once() -> None:
    assert refusal(PostgresServerSide(), GSS_REQUEST, GSS_REQUEST).why == reasons.BAD_STARTTLS


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"N", reasons.BACKEND_WITHOUT_TLS),
        (b"E\0\0\0\x10SFATAL\0", reasons.BACKEND_BAD_STARTTLS),
        (b"HTTP/1.1 400", reasons.BACKEND_BAD_STARTTLS),
    ],
)
def test_other_answers_than_yes(answer: bytes, why: str) -> None:
    assert refusal(PostgresClientSide(), answer).why == why
