import pytest

from spliceproxy import reasons
from spliceproxy.formats.starttls.imap import ImapClientSide, ImapGreeting, ImapServerSide
from spliceproxy.formats.starttls.negotiation import Negotiation, Then
from tests.formats.starttls.talking import converse, play, refusal

GREETING = b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] mail.example ready\r\n"


def server() -> Negotiation:
    return ImapServerSide("mail.example")


def test_tls_is_asked_for_and_granted() -> None:
    answers = play(server(), b"a1 CAPABILITY\r\n", b"a2 starttls\r\n")
    capable = b"* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\na1 OK done\r\n"
    assert answers == [GREETING, capable, b"a2 OK begin TLS\r\n", Then.TLS]
    answers = play(ImapClientSide(), GREETING, b"* CAPABILITY X\r\nS1 OK go on\r\n")
    assert answers == [b"", b"S1 STARTTLS\r\n", b"", Then.TLS]
    converse(ImapClientSide(), server())


@pytest.mark.parametrize("negotiation", [ImapClientSide(), ImapGreeting()])
def test_the_greeting_is_kept_without_what_is_not_so_by_tls(negotiation: Negotiation) -> None:
    """A client that believed in LOGINDISABLED would not log in."""
    play(negotiation, GREETING)
    assert negotiation.greeting == b"* OK mail.example ready\r\n"


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (b"a NOOP", b"a OK done\r\n"),
        (b"a LOGOUT", b"* BYE\r\na OK done\r\n"),
        (b"a LOGIN me secret", b"a NO [PRIVACYREQUIRED] expected STARTTLS first\r\n"),
        (b"a AUTHENTICATE PLAIN", b"a NO [PRIVACYREQUIRED] expected STARTTLS first\r\n"),
        (b"a SELECT INBOX", b"a BAD expected STARTTLS first\r\n"),
        (b"a STARTTLS now", b"a BAD expected STARTTLS first\r\n"),
        (b"STARTTLS", b"* BAD expected a tag and a command\r\n"),
        (b"* STARTTLS", b"* BAD expected a tag and a command\r\n"),
    ],
)
def test_other_commands_before_tls(command: bytes, answer: bytes) -> None:
    assert play(server(), command + b"\r\n")[-1] == answer


@pytest.mark.parametrize("early", [b"a2 LOGIN me secret\r\n", b"\x16\x03\x01", b"x"])
def test_nothing_may_come_behind_the_request(early: bytes) -> None:
    assert refusal(server(), b"a1 STARTTLS\r\n" + early).why == reasons.PLAINTEXT_BEFORE_TLS


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ((GREETING + b"* more\r\n",), reasons.BACKEND_PLAINTEXT_BEFORE_TLS),
        ((GREETING, b"S1 OK go\r\n* more\r\n"), reasons.BACKEND_PLAINTEXT_BEFORE_TLS),
        ((b"* BYE full\r\n",), reasons.BACKEND_UNREADY),
        ((b"* PREAUTH hello\r\n",), reasons.BACKEND_WITHOUT_TLS),
        ((b"220 mx.example ESMTP\r\n",), reasons.BACKEND_BAD_STARTTLS),
        ((b"* OKAY\r\n",), reasons.BACKEND_BAD_STARTTLS),
        ((GREETING, b"S1 NO\r\n"), reasons.BACKEND_WITHOUT_TLS),
        ((GREETING, b"S1 BAD what\r\n"), reasons.BACKEND_WITHOUT_TLS),
        ((GREETING, b"S2 OK go\r\n"), reasons.BACKEND_BAD_STARTTLS),
        ((GREETING, b"* a\r\n" * 2000), reasons.BACKEND_BAD_STARTTLS),
    ],
)
def test_servers_without_tls(said: tuple[bytes, ...], why: str) -> None:
    assert refusal(ImapClientSide(), *said).why == why


def test_a_client_that_never_asks() -> None:
    error = refusal(server(), *[b"a NOOP\r\n"] * 17)
    assert error.why == reasons.NO_STARTTLS
    assert error.last_words.startswith(b"* BYE ")
    assert refusal(server(), b"a LOGOUT\r\n", b"a NOOP\r\n").why == reasons.BAD_STARTTLS
    assert refusal(server(), b"a NOOP\n").why == reasons.BAD_STARTTLS
    assert refusal(server(), b"a" * 1025).why == reasons.BAD_STARTTLS
