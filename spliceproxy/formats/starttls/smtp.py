"""SMTP: STARTTLS (RFC 3207).

After TLS both sides have forgotten what was said before it, and the client begins anew with EHLO;
the server says no second greeting.
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

_MOST_COMMAND_BYTES = 512  # RFC 5321, section 4.5.3.1.4
_MOST_REPLY_LINES = 64  # each is read anew when more has come
_REPLY_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?")
_READY, _OK = b"220", b"250"
_NO_TLS = end_line("421 4.7.0 Closing: expected STARTTLS")


class SmtpServerSide:
    """Lets the client of a mail server ask for TLS, and for nothing else before it."""

    __slots__ = ("_commands", "_host", "_left")
    greeting = b""

    def __init__(self, host: str) -> None:
        self._host = host
        self._commands = CommandCount()
        self._left = False

    def begin(self) -> bytes:
        """Greet the client."""
        return end_line(f"220 {self._host} ESMTP")

    def read(self, data: bytes) -> NeedMore | Turn:
        """Answer a command.

        Raises:
            StartTlsError: the client does not come to TLS.
        """
        if self._left:
            raise StartTlsError(reasons.BAD_STARTTLS, "a command after QUIT")
        line = read_line(data, _MOST_COMMAND_BYTES, reasons.BAD_STARTTLS)
        if isinstance(line, NeedMore):
            return line
        self._commands.add(_NO_TLS)
        length = size_of(line)
        verb, _, argument = line.upper().partition(b" ")
        if verb == b"STARTTLS" and not argument.strip():
            refuse_more(data, length, reasons.PLAINTEXT_BEFORE_TLS)
            return Turn(length, end_line("220 2.0.0 Ready to start TLS"), Then.TLS)
        self._left = verb == b"QUIT"
        return Turn(length, self._answer(verb))

    def _answer(self, verb: bytes) -> bytes:
        if verb == b"EHLO":
            return end_line(f"250-{self._host}") + end_line("250 STARTTLS")
        answers = {
            b"HELO": f"250 {self._host}",
            b"NOOP": "250 2.0.0 Ok",
            b"RSET": "250 2.0.0 Ok",
            b"QUIT": "221 2.0.0 Bye",
            b"STARTTLS": "501 5.5.4 Syntax: STARTTLS",
        }
        return end_line(answers.get(verb, "530 5.7.0 Must issue a STARTTLS command first"))


class SmtpClientSide:
    """Asks a mail server for TLS, once it has greeted and said that it has it."""

    __slots__ = ("_host", "_read", "greeting")

    def __init__(self, host: str) -> None:
        self._host = host
        self._read = self._read_greeting
        self.greeting = b""

    def begin(self) -> bytes:
        """Say nothing: the server greets first."""
        return b""

    def read(self, data: bytes) -> NeedMore | Turn:
        """Read the reply to what was said last.

        Raises:
            StartTlsError: the server does not come to TLS.
        """
        length = _reply_length(data)
        if isinstance(length, NeedMore):
            return length
        refuse_more(data, length, reasons.BACKEND_PLAINTEXT_BEFORE_TLS)
        return self._read(data)

    def _read_greeting(self, reply: bytes) -> Turn:
        self.greeting = _check_greeting(reply)
        self._read = self._read_extensions
        return Turn(len(reply), end_line(f"EHLO {self._host}"))

    def _read_extensions(self, reply: bytes) -> Turn:
        words = {line[4:].strip().upper() for line in reply.splitlines()[1:]}
        if not reply.startswith(_OK) or b"STARTTLS" not in words:
            raise StartTlsError(reasons.BACKEND_WITHOUT_TLS, "no STARTTLS in its answer to EHLO")
        self._read = self._read_consent
        return Turn(len(reply), end_line("STARTTLS"))

    def _read_consent(self, reply: bytes) -> Turn:
        if not reply.startswith(_READY):
            detail = f"{reply[:3].decode()} in answer to STARTTLS"
            raise StartTlsError(reasons.BACKEND_WITHOUT_TLS, detail)
        return Turn(len(reply), then=Then.TLS)


class SmtpGreeting:
    """Reads a mail server's greeting, behind which its client has heard one already, or hears it.

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
        length = _reply_length(data)
        if isinstance(length, NeedMore):
            return length
        refuse_more(data, length, reasons.BACKEND_BAD_STARTTLS)
        self.greeting = _check_greeting(data)
        return Turn(length, then=Then.PLAIN)


def _check_greeting(reply: bytes) -> bytes:
    if not reply.startswith(_READY):
        raise StartTlsError(reasons.BACKEND_UNREADY, f"greets with {reply[:3].decode()}")
    return reply


def _reply_length(data: bytes) -> int | NeedMore:
    """Return where a server's reply ends, which may have many lines.

    Raises:
        StartTlsError: it is none, or longer than what a negotiation looks at.
    """
    at, code = 0, None
    for _ in range(_MOST_REPLY_LINES):
        line = read_line(data[at:], MAX_BYTES - at, reasons.BACKEND_BAD_STARTTLS)
        if isinstance(line, NeedMore):
            return NeedMore(at + line.length)
        match = _REPLY_LINE.fullmatch(line)
        if match is None or code not in (None, match[1]):
            raise StartTlsError(reasons.BACKEND_BAD_STARTTLS, "no reply of SMTP's")
        at, code = at + size_of(line), match[1]
        if match[2] != b"-":
            return at
    raise StartTlsError(reasons.BACKEND_BAD_STARTTLS, f"more than {_MOST_REPLY_LINES} lines")
