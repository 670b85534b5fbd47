"""Who asks for TLS in the words of which protocol: the negotiations of a listener or a backend."""

import socket
from dataclasses import dataclass

from spliceproxy.formats.starttls.negotiation import Negotiation
from spliceproxy.formats.starttls.protocols import STARTTLS, StartTlsProtocol


@dataclass(frozen=True, slots=True)
class StartTls:
    """Begins negotiations, in the name of this machine."""

    protocol: StartTlsProtocol
    host: str

    def with_client(self) -> Negotiation:
        """Return what a client is talked to with."""
        return self.protocol.server_side(self.host)

    def with_backend(self) -> Negotiation:
        """Return what a backend is asked for TLS with."""
        return self.protocol.client_side(self.host)

    def with_greeter(self) -> Negotiation | None:
        """Return what reads a backend's greeting; None: in this protocol backends don't greet."""
        read_greeting = self.protocol.read_greeting
        return None if read_greeting is None else read_greeting()


def make_start_tls(protocol: str | None) -> StartTls | None:
    """Return what begins negotiations of a protocol, by its name in settings; None: none."""
    return None if protocol is None else StartTls(STARTTLS[protocol], socket.gethostname())
