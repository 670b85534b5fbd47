"""Letting a client ask for TLS in its protocol, before the handshake."""

from collections.abc import Callable
from typing import Protocol

from spliceproxy import reasons
from spliceproxy.formats.starttls.negotiation import Negotiation, Turn
from spliceproxy.kernel.sockets import Socket
from spliceproxy.loop.farewell import close_cleanly, close_with_reset
from spliceproxy.loop.negotiator import Negotiator
from spliceproxy.loop.reactor import Reactor
from spliceproxy.proxy.received_client import ReceivedClient
from spliceproxy.proxy.refusals import Refusal

Close = Callable[[Reactor, Socket], None]


class StartTlsClientOwner(Protocol):
    """The reception, which goes on with the client, or counts its refusal."""

    def starttls_agreed(self, asking: "StartTlsClient", turn: Turn) -> None:
        """Go on as the turn says; the client's socket is in no epoll set."""

    def starttls_crashed(self, asking: "StartTlsClient", error: Exception) -> None:
        """Tell what nobody foresaw; the client is refused after that."""

    def starttls_refused(self, asking: "StartTlsClient", refusal: Refusal) -> None:
        """Forget the client, whose socket is closed."""


class StartTlsClient:
    """A client's negotiation, in its time."""

    __slots__ = ("_negotiator", "_owner", "_reactor", "_timer", "received")

    def __init__(
        self,
        reactor: Reactor,
        owner: StartTlsClientOwner,
        received: ReceivedClient,
        negotiation: Negotiation,
        timeout_s: float,
    ) -> None:
        self._reactor = reactor
        self._owner = owner
        self.received = received
        self._negotiator: Negotiator | None = Negotiator(
            reactor, self, received.sock, negotiation, "client"
        )
        self._timer = reactor.timers.after(timeout_s, self)

    def start(self) -> None:
        """Greet the client, or wait for its first word."""
        if self._negotiator is not None:
            self._negotiator.start()

    def negotiated(self, turn: Turn) -> None:
        """Go on with the handshake, or without TLS."""
        self._forget()
        self._owner.starttls_agreed(self, turn)

    def negotiation_failed(self, why: str, detail: str, *, was_told: bool) -> None:
        """Turn the client away."""
        # What its socket fails with, before there is a connection, is as with any client.
        known = reasons.CLIENT_LEFT if why.startswith("client_") else why
        self._refuse(Refusal(known, detail), close_cleanly if was_told else close_with_reset)

    def on_deadline(self) -> None:
        """Turn a client away that takes too long."""
        self.close(reasons.STARTTLS_TIMEOUT)

    def close(self, why: str) -> None:
        """Turn the client away."""
        if self._negotiator is not None:
            self._negotiator.cancel()
        self._refuse(Refusal(why))

    def on_crash(self, error: Exception) -> None:
        """Turn the client away after an exception that nobody foresaw."""
        if self._negotiator is not None:
            self._negotiator.cancel()
        self._owner.starttls_crashed(self, error)
        self._refuse(Refusal(reasons.INTERNAL_ERROR))

    def _refuse(self, refusal: Refusal, close: Close = close_with_reset) -> None:
        self._forget()
        close(self._reactor, self.received.sock)
        self._owner.starttls_refused(self, refusal)

    def _forget(self) -> None:
        """Undo the cycles, so that all is freed when the connection ends."""
        self._timer.cancel()
        self._negotiator = None
