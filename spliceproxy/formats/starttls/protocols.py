"""The protocols that can ask for TLS, and who plays which side of them."""

from collections.abc import Callable
from dataclasses import dataclass

from spliceproxy.formats.starttls.imap import ImapClientSide, ImapGreeting, ImapServerSide
from spliceproxy.formats.starttls.negotiation import Negotiation
from spliceproxy.formats.starttls.postgres import PostgresClientSide, PostgresServerSide
from spliceproxy.formats.starttls.smtp import SmtpClientSide, SmtpGreeting, SmtpServerSide


@dataclass(frozen=True, slots=True)
class StartTlsProtocol:
    """Makes the negotiations of connections. What is given is the name of this machine."""

    server_side: Callable[[str], Negotiation]
    """For clients whose TLS ends here."""
    client_side: Callable[[str], Negotiation]
    """For backends that are asked for TLS."""
    read_greeting: Callable[[], Negotiation] | None = None
    """For backends that are not asked, and greet clients that have been greeted by the server side
    here; None: servers of this protocol say nothing of their own accord."""


STARTTLS = {
    "postgres": StartTlsProtocol(lambda _: PostgresServerSide(), lambda _: PostgresClientSide()),
    "smtp": StartTlsProtocol(SmtpServerSide, SmtpClientSide, SmtpGreeting),
    "imap": StartTlsProtocol(ImapServerSide, lambda _: ImapClientSide(), ImapGreeting),
}
"""By the names that settings have for them."""
