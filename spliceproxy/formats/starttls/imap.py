"""IMAP: STARTTLS (RFC 9051, sections 6.2.1 and 11.1).

After TLS the server says no second greeting, and what it was capable of before counts no more.
"""

import re

from spliceproxy import reasons
from spliceproxy.formats.need_more import NeedMore
from spliceproxy.formats.starttls.command_lines import CommandCount, end_line, read_line, size_of
from spliceproxy.formats.starttls.negotiation import (
    MAX_BYTES,
    StartTlsError,
    Then,
    Turn,
    refuse_more,
)

_MOST_COMMAND_BYTES = 1024
_COMMAND = re.compile(rb"([!#$&',-9:-Z\^-z|~\[\]=;<>?@.]{1,64}) ([A-Za-z]{1,32})(?: .*)?")
_GREETING = re.compile(rb"\* (OK|PREAUTH|BYE)(?: .*)?", re.IGNORECASE)
_CAPABILITIES = re.compile(rb"\[CAPABILITY [^\]]*\] ?", re.IGNORECASE)
_CAPABILITY = "CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED"
_TAG = "S1"
_BYE = end_line("* BYE closing: expected STARTTLS")


class ImapServerSide:
    """Lets the client of a mailbox ask for TLS, and for nothing else before it."""

    __slots__ = ("_commands", "_host", "_left")
    greeting = b""

    def __init__(self, host: str) -> None:
        self._host = host
        self._commands = CommandCount()
        self._left = False

    def begin(self) -> bytes:
        """Greet the client."""
        return end_line(f"* OK [{_CAPABILITY}] {self._host} ready")

    def read(self, data: bytes) -> NeedMore | Turn:
        """Answer a command.

        Raises:
            StartTlsError: the client does not come to TLS.
        """
        if self._left:
            raise StartTlsError(reasons.BAD_STARTTLS, "a command after LOGOUT")
        line = read_line(data, _MOST_COMMAND_BYTES, reasons.BAD_STARTTLS)
        if isinstance(line, NeedMore):
            return line
        self._commands.add(_BYE)
        length = size_of(line)
        match = _COMMAND.fullmatch(line)
        if match is None:
            return Turn(length, end_line("* BAD expected a tag and a command"))
        tag, command = match[1].decode(), match[2].decode().upper()
        if command == "STARTTLS" and line == b" ".join(match.groups()):
            refuse_more(data, length, reasons.PLAINTEXT_BEFORE_TLS)
            return Turn(length, end_line(f"{tag} OK begin TLS"), Then.TLS)
        self._left = command == "LOGOUT"
        return Turn(length, _answer(tag, command))


def _answer(tag: str, command: str) -> bytes:
    match command:
        case "CAPABILITY":
            return end_line(f"* {_CAPABILITY}") + end_line(f"{tag} OK done")
        case "NOOP":
            return end_line(f"{tag} OK done")
        case "LOGOUT":
            return end_line("* BYE") + end_line(f"{tag} OK done")
        case "LOGIN" | "AUTHENTICATE":
            return end_line(f"{tag} NO [PRIVACYREQUIRED] expected STARTTLS first")
    return end_line(f"{tag} BAD expected STARTTLS first")


class ImapClientSide:
    """Asks a mail server for TLS, once it has greeted."""

    __slots__ = ("_read", "greeting")

    def __init__(self) -> None:
        self._read = self._read_greeting
        self.greeting = b""

    def begin(self) -> bytes:
        """Say nothing: the server greets first."""
        return b""

    def read(self, data: bytes) -> NeedMore | Turn:
        """Read what the server says.

        Raises:
            StartTlsError: it does not come to TLS.
        """
        return self._read(data)

    def _read_greeting(self, data: bytes) -> NeedMore | Turn:
        line = read_line(data, MAX_BYTES, reasons.BACKEND_BAD_STARTTLS)
        if isinstance(line, NeedMore):
            return line
        refuse_more(data, size_of(line), reasons.BACKEND_PLAINTEXT_BEFORE_TLS)
        self.greeting = _check_greeting(line)
        self._read = self._read_consent
        return Turn(size_of(line), end_line(f"{_TAG} STARTTLS"))

    def _read_consent(self, data: bytes) -> NeedMore | Turn:
        """Pass over what is no answer, and read the one to STARTTLS."""
        at = 0
        while True:
            line = read_line(data[at:], MAX_BYTES - at, reasons.BACKEND_BAD_STARTTLS)
            if isinstance(line, NeedMore):
                return NeedMore(at + line.length)
            at += size_of(line)
            if not line.startswith(b"* "):
                break
        tag, _, answer = line.upper().partition(b" ")
        if tag != _TAG.encode():
            raise StartTlsError(reasons.BACKEND_BAD_STARTTLS, "no answer to STARTTLS")
        if answer.partition(b" ")[0] != b"OK":
            raise StartTlsError(reasons.BACKEND_WITHOUT_TLS, "it refuses STARTTLS")
        refuse_more(data, at, reasons.BACKEND_PLAINTEXT_BEFORE_TLS)
        return Turn(at, then=Then.TLS)


class ImapGreeting:
    """Reads the greeting of a server whose client has heard one already.

    For servers that are spoken to by TLS from the first byte, or not at all.
    """

    __slots__ = ("greeting",)

    def __init__(self) -> None:
        self.greeting = b""

    def begin(self) -> bytes:
        """Say nothing: the server greets first."""
        return b""

    def read(self, data: bytes) -> NeedMore | Turn:
        """Read the greeting.

        Raises:
            StartTlsError: it is none that welcomes.
        """
        line = read_line(data, MAX_BYTES, reasons.BACKEND_BAD_STARTTLS)
        if isinstance(line, NeedMore):
            return line
        refuse_more(data, size_of(line), reasons.BACKEND_BAD_STARTTLS)
        self.greeting = _check_greeting(line)
        return Turn(size_of(line), then=Then.PLAIN)


def _check_greeting(line: bytes) -> bytes:
    """Return the greeting without capabilities: those by TLS are others."""
    match = _GREETING.fullmatch(line)
    if match is None:
        raise StartTlsError(reasons.BACKEND_BAD_STARTTLS, "no greeting of IMAP's")
    word = match[1].upper()
    if word == b"BYE":
        raise StartTlsError(reasons.BACKEND_UNREADY, "greets with BYE")
    if word == b"PREAUTH":
        # Who is logged in already is not to ask for TLS: whoever stands between could keep it off.
        raise StartTlsError(reasons.BACKEND_WITHOUT_TLS, "greets with PREAUTH")
    return _CAPABILITIES.sub(b"", line, count=1) + b"\r\n"
