"""What a negotiation before TLS is given, and what it says."""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from spliceproxy.formats.need_more import NeedMore

MAX_BYTES = 8192
"""Of what one looks at in a turn; greetings and lists of extensions have a few hundred."""


class Then(Enum):
    """How a connection goes on after a turn of the negotiation."""

    MORE = "more"
    """The other side has the next word."""
    TLS = "tls"
    """With a TLS handshake, in which the client begins."""
    PLAIN = "plain"
    """Without TLS: all that was agreed on is behind it."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What is to be done with what has come, in the order of the fields."""

    take: int
    """Bytes to take out of the connection; what is behind them stays."""
    say: bytes = b""
    """To be sent."""
    then: Then = Then.MORE
    alpn: str | None = None
    """The protocol that the handshake has to agree on; None: that is left to it."""


class StartTlsError(ValueError):
    """The other side does not come to TLS; the text says why, and may hold what it has sent."""

    def __init__(self, why: str, detail: str = "", last_words: bytes = b"") -> None:
        super().__init__(detail)
        self.why = why
        """A name of `spliceproxy.reasons`."""
        self.last_words = last_words
        """To be sent to the other side, which may be waiting for an answer, before it is left."""


class Negotiation(Protocol):
    """One side of one connection's way to TLS. It bounds how long that is; its owner the time.

    What has come may end in more than one side's turn asks for: bytes that were sent before they
    could be, in the hope that they count as sent by TLS (CVE-2011-0411, CVE-2021-23214,
    CVE-2021-23222). So a negotiation is to be shown all that is there, and refuses what comes too
    early.
    """

    @property
    def greeting(self) -> bytes:
        """What a server has said first, as its client behind this proxy may hear it after all."""

    def begin(self) -> bytes:
        """Return what to say before the other side has said anything; empty if it has to begin."""

    def read(self, data: bytes) -> NeedMore | Turn:
        """Go on, given all that waits in the connection, up to `MAX_BYTES`.

        Raises:
            StartTlsError: it leads to no TLS.
        """


def refuse_more(data: bytes, length: int, why: str) -> None:
    """Refuse what was sent before its time, behind that many bytes.

    Raises:
        StartTlsError: there is something; `why` is its name.
    """
    if len(data) > length:
        raise StartTlsError(why, f"{len(data) - length} bytes too early")
