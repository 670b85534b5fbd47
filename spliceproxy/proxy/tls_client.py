"""Agreeing with a client on TLS, before it has a session: the last thing that decides about it."""

from typing import Protocol

from spliceproxy import reasons
from spliceproxy.loop.farewell import close_with_reset
from spliceproxy.loop.reactor import Reactor
from spliceproxy.proxy.received_client import ReceivedClient
from spliceproxy.proxy.refusals import Refusal
from spliceproxy.tls.agreed import agreed_with, refuse
from spliceproxy.tls.handshake import Handshake
from spliceproxy.tls.handshake_turns import HandshakeTurns
from spliceproxy.tls.server_contexts import ServerTls
from spliceproxy.tls.tls_errors import MISMATCH, TlsError
from spliceproxy.tls.tls_socket import TlsSocket


class TlsClientOwner(Protocol):
    """The reception, which lets the client in then, or counts its refusal."""

    def tls_agreed(self, secured: "TlsClient") -> None:
        """Let the client in, by the socket that speaks TLS."""

    def tls_crashed(self, secured: "TlsClient", error: Exception) -> None:
        """Tell what nobody foresaw; the client is refused after that."""

    def tls_refused(self, secured: "TlsClient", refusal: Refusal) -> None:
        """Forget the client, whose socket is closed."""


class TlsClient:
    """A client's handshake, in its time."""

    __slots__ = ("_alpn", "_handshake", "_owner", "_reactor", "_sock", "_tls", "received")

    def __init__(
        self,
        reactor: Reactor,
        turns: HandshakeTurns,
        owner: TlsClientOwner,
        received: ReceivedClient,
        tls: ServerTls,
        timeout_s: float,
        alpn: str | None = None,
    ) -> None:
        """The client's socket is taken over; see `TlsSocket` for what is raised otherwise.

        Where `alpn` is given, it has to be agreed on.
        """
        self._reactor = reactor
        self._owner = owner
        self.received = received
        self._tls = tls
        self._sock = TlsSocket(received.sock, tls.context, server_side=True, buffers=turns.buffers)
        received.sock = self._sock
        self._alpn = alpn
        # Forgotten when it is over, for the two know each other, and are to be freed then.
        self._handshake: Handshake | None = Handshake(reactor, turns, self, self._sock, timeout_s)

    def start(self) -> None:
        """Wait for the hello."""
        if self._handshake is not None:
            self._handshake.start()

    def handshake_done(self, sock: TlsSocket) -> None:
        """Let the client in, unless its certificate is none of those that are."""
        self._handshake = None
        why = refuse(sock, self._tls)
        if why is not None:
            self._refuse(Refusal(why))
            return
        client = self.received.client
        client.tls = agreed_with(sock)
        if self._alpn is not None and client.tls.alpn != self._alpn:
            detail = f"no agreement on the protocol {self._alpn!r} (ALPN)"
            self.handshake_failed(TlsError(MISMATCH, detail))
            return
        client.server_name = client.tls.server_name
        self._owner.tls_agreed(self)

    def handshake_failed(self, error: TlsError | OSError) -> None:
        """Turn the client away."""
        if isinstance(error, TlsError):
            self._refuse(Refusal(f"client_{error.name}", error.detail))
        else:
            self._refuse(Refusal(reasons.CLIENT_LEFT))

    def handshake_crashed(self, error: Exception) -> None:
        """Turn the client away after an exception that nobody foresaw."""
        self._owner.tls_crashed(self, error)
        self._refuse(Refusal(reasons.INTERNAL_ERROR))

    def close(self, why: str) -> None:
        """Turn the client away."""
        if self._handshake is not None:
            self._handshake.cancel()
        self._refuse(Refusal(why))

    def _refuse(self, refusal: Refusal) -> None:
        self._handshake = None
        close_with_reset(self._reactor, self._sock)
        self._owner.tls_refused(self, refusal)
