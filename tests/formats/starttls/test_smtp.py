import pytest

from spliceproxy import reasons
from spliceproxy.formats.starttls.negotiation import Negotiation, Then
from spliceproxy.formats.starttls.smtp import SmtpClientSide, SmtpGreeting, SmtpServerSide
from tests.formats.starttls.talking import converse, play, refusal

GREETING = b"220 mx.example ESMTP\r\n"
OFFER = b"250-mx.example\r\n250 STARTTLS\r\n"
READY = b"220 2.0.0 Ready to start TLS\r\n"


def server() -> Negotiation:
    return SmtpServerSide("mx.example")


def client() -> Negotiation:
    return SmtpClientSide("relay.example")


def test_tls_is_asked_for_and_granted() -> None:
    answers = play(server(), b"EHLO relay.example\r\n", b"starttls \r\n")
    assert answers == [GREETING, OFFER, READY, Then.TLS]
    answers = play(client(), b"220-wait\r\n" + GREETING, OFFER, READY)
    assert answers == [b"", b"EHLO relay.example\r\n", b"STARTTLS\r\n", b"", Then.TLS]
    converse(client(), server())


def test_the_greeting_is_kept_for_a_client_that_has_heard_none() -> None:
    negotiation = client()
    play(negotiation, b"220-wait\r\n" + GREETING)
    assert negotiation.greeting == b"220-wait\r\n" + GREETING
    negotiation = SmtpGreeting()
    assert play(negotiation, GREETING) == [b"", b"", Then.PLAIN]
    assert negotiation.greeting == GREETING


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (b"HELO relay.example", b"250 "),
        (b"NOOP", b"250 "),
        (b"RSET", b"250 "),
        (b"QUIT", b"221 "),
        (b"STARTTLS now", b"501 "),
        (b"MAIL FROM:<me@example>", b"530 "),
        (b"AUTH PLAIN AGEAYg==", b"530 "),
        (b"", b"530 "),
    ],
)
def test_other_commands_before_tls(command: bytes, code: bytes) -> None:
    *_, answer = play(server(), command + b"\r\n")
    assert isinstance(answer, bytes)
    assert answer.startswith(code)


@pytest.mark.parametrize("early", [b"EHLO me\r\n", b"\x16\x03\x01", b"M"])
def test_nothing_may_come_behind_the_request(early: bytes) -> None:
    assert refusal(server(), b"STARTTLS\r\n" + early).why == reasons.PLAINTEXT_BEFORE_TLS


@pytest.mark.parametrize("before", [(), (GREETING,), (GREETING, OFFER)])
def test_nothing_may_come_behind_an_answer(before: tuple[bytes, ...]) -> None:
    word = (GREETING, OFFER, READY)[len(before)]
    error = refusal(client(), *before, word + b"250 more\r\n")
    assert error.why == reasons.BACKEND_PLAINTEXT_BEFORE_TLS


@pytest.mark.parametrize(
    "line",
    [b"EHLO me\n", b"EHLO \0me\r\n", b"EHLO a\rb\r\n", b"EHLO " + b"a" * 512, b"\x16\x03\x01\r\n"],
)
def test_what_is_no_command(line: bytes) -> None:
    assert refusal(server(), line).why == reasons.BAD_STARTTLS


def test_a_client_that_never_asks() -> None:
    error = refusal(server(), *[b"NOOP\r\n"] * 17)
    assert error.why == reasons.NO_STARTTLS
    assert error.last_words.startswith(b"421 ")
    assert refusal(server(), b"QUIT\r\n", b"NOOP\r\n").why == reasons.BAD_STARTTLS


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ((b"554 5.7.1 go away\r\n",), reasons.BACKEND_UNREADY),
        ((b"421 busy\r\n",), reasons.BACKEND_UNREADY),
        ((b"+OK POP3 ready\r\n",), reasons.BACKEND_BAD_STARTTLS),
        ((b"220-one\r\n250 other\r\n",), reasons.BACKEND_BAD_STARTTLS),
        ((b"220-" + b"a" * 8192,), reasons.BACKEND_BAD_STARTTLS),
        ((b"220-a\r\n" * 65,), reasons.BACKEND_BAD_STARTTLS),
        ((GREETING, b"250-mx.example\r\n250 XSTARTTLS\r\n"), reasons.BACKEND_WITHOUT_TLS),
        ((GREETING, b"250 STARTTLS\r\n"), reasons.BACKEND_WITHOUT_TLS),
        ((GREETING, b"502 unknown\r\n"), reasons.BACKEND_WITHOUT_TLS),
        ((GREETING, OFFER, b"454 no certificate\r\n"), reasons.BACKEND_WITHOUT_TLS),
    ],
)
def test_servers_without_tls(said: tuple[bytes, ...], why: str) -> None:
    assert refusal(client(), *said).why == why


def test_servers_that_are_only_to_greet() -> None:
    assert refusal(SmtpGreeting(), b"554 no\r\n").why == reasons.BACKEND_UNREADY
    assert refusal(SmtpGreeting(), GREETING + b"x").why == reasons.BACKEND_BAD_STARTTLS
