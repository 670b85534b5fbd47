"""What is decided about a client before a backend is connected to, on routes that ask for it.

Other routes have none of it: what they accept goes to a session at once.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from spliceproxy import reasons
from spliceproxy.formats.starttls.negotiation import Then, Turn
from spliceproxy.kernel.sockets import Socket
from spliceproxy.loop.farewell import close_with_reset
from spliceproxy.loop.reactor import Reactor
from spliceproxy.policy.admission import Admission
from spliceproxy.policy.networks import AccessList
from spliceproxy.policy.rate import RateLimit
from spliceproxy.policy.sni import SniTable
from spliceproxy.proxy.client import Client
from spliceproxy.proxy.preamble import Preamble, Step
from spliceproxy.proxy.preamble_steps import ClientHelloStep, ProxyHeaderStep
from spliceproxy.proxy.received_client import Destination, PlaceOwner, ReceivedClient
from spliceproxy.proxy.refusals import Refusal, Refusals
from spliceproxy.proxy.starttls_client import StartTlsClient
from spliceproxy.proxy.tls_client import TlsClient
from spliceproxy.settings.proxy import RouteSettings
from spliceproxy.tls.handshake_turns import HandshakeTurns
from spliceproxy.tls.server_contexts import ServerTls


class Entrance(PlaceOwner, Destination, Protocol):
    """The frontend whose listeners accept the clients that are received."""

    def take_place(self) -> None:
        """A client has come in."""


def needs_reception(route: RouteSettings) -> bool:
    """Whether anything is to be decided about the clients of a route."""
    client = route.per_client
    return bool(
        route.allow
        or route.deny
        or route.rate
        or client.max_connections
        or client.rate
        or route.accept_proxy
        or route.sni
        or any(listen.tls for listen in route.listen)
    )


Entering = Preamble | StartTlsClient | TlsClient


class Reception:
    """Receives the clients of one route in one worker."""

    def __init__(
        self,
        reactor: Reactor,
        settings: RouteSettings,
        entrance: Entrance,
        destinations: Mapping[str, Destination],
        refusals: Refusals,
        admission: Admission,
        rate: RateLimit | None,
        turns: HandshakeTurns,
    ) -> None:
        self.entering: set[Entering] = set()
        """Clients of whom it is not known yet whether, or where, they go on."""
        self.refusals = refusals
        self._reactor = reactor
        self._entrance = entrance
        self._timeout_s = settings.timeouts.client_hello_s
        self._destination: Destination | None = entrance if settings.backends else None
        self._admission = admission
        self._rate = rate
        self._turns = turns
        self._trusted = AccessList(settings.trusted) if settings.accept_proxy else None
        self._steps: list[Callable[[], Step]] = []  # made anew for each client
        if settings.accept_proxy:
            self._steps.append(partial(ProxyHeaderStep, reactor))
        if settings.sni:
            table = self._sni_table(settings, destinations)
            self._steps.append(partial(ClientHelloStep, table))

    def _sni_table(
        self, settings: RouteSettings, destinations: Mapping[str, Destination]
    ) -> SniTable[Destination | None]:
        names: dict[str, Destination | None] = {}
        protocols: dict[bytes, Destination | None] = {}
        for entry in settings.sni:
            destination = destinations[entry.route]
            names.update(dict.fromkeys(entry.names, destination))
            protocols.update(dict.fromkeys(map(str.encode, entry.alpn), destination))
        return SniTable(names, protocols, self._destination)

    def receive(self, client: Client, sock: Socket, tls: ServerTls | None) -> None:
        """Decide about a client that was just accepted, by a listener that may speak TLS."""
        received = ReceivedClient(
            self._entrance, self._admission, client, sock, self._destination, tls
        )
        try:
            self._look_at_address(received)
        except Refusal as refusal:
            close_with_reset(self._reactor, sock)
            self.refusals.add(refusal, client.name)
            return
        self._entrance.take_place()
        if self._rate is not None:
            self._rate.admits(self._reactor.now_s)  # which the listener has asked before
        if self._steps:
            preamble = Preamble(self._reactor, self, received, self._steps, self._timeout_s)
            self.entering.add(preamble)
            preamble.start()
        else:
            self._go_on(received)

    def _look_at_address(self, received: ReceivedClient) -> None:
        if self._trusted is None:
            received.be_admitted(received.client.host, self._reactor.now_s)
        else:
            host = received.client.host
            if host is not None and not self._trusted.admits(host):
                raise Refusal(reasons.UNTRUSTED)

    def preamble_read(self, preamble: Preamble) -> None:
        """Let the client in."""
        self.entering.discard(preamble)
        preamble.received.client.let_in_s = time.monotonic()
        self._go_on(preamble.received)

    def preamble_crashed(self, preamble: Preamble, error: Exception) -> None:
        """Tell what went wrong."""
        self.refusals.crashed(error, preamble.received.client.name)

    def preamble_refused(self, preamble: Preamble, refusal: Refusal) -> None:
        """Count the client, and forget it."""
        self.entering.discard(preamble)
        self._refuse(preamble.received, refusal)

    def _refuse(self, received: ReceivedClient, refusal: Refusal) -> None:
        self.refusals.add(refusal, received.client.name)
        received.end()

    def _go_on(self, received: ReceivedClient) -> None:
        """Speak TLS with the client, unless its listener does not, or another route is to do so."""
        if received.tls is None or received.destination is not self._entrance:
            self._let_in(received)
            return
        if received.tls.start_tls is None:
            self._secure(received, received.tls)
            return
        negotiation = received.tls.start_tls.with_client()
        asking = StartTlsClient(self._reactor, self, received, negotiation, self._timeout_s)
        self.entering.add(asking)
        asking.start()

    def starttls_agreed(self, asking: StartTlsClient, turn: Turn) -> None:
        """Go on with the handshake; or let a client in that needs no TLS for what it asks."""
        self.entering.discard(asking)
        received = asking.received
        if turn.then is Then.PLAIN:
            received.client.let_in_s = time.monotonic()
            self._let_in(received)
            return
        assert received.tls is not None  # noqa: S101 - else nobody would have asked for it
        received.client.start_tls = received.tls.start_tls
        self._secure(received, received.tls, turn.alpn)

    def starttls_crashed(self, asking: StartTlsClient, error: Exception) -> None:
        """Tell what went wrong."""
        self.refusals.crashed(error, asking.received.client.name)

    def starttls_refused(self, asking: StartTlsClient, refusal: Refusal) -> None:
        """Count the client, and forget it."""
        self.entering.discard(asking)
        self._refuse(asking.received, refusal)

    def _secure(self, received: ReceivedClient, tls: ServerTls, alpn: str | None = None) -> None:
        whole = (self._reactor, self._turns, self, received, tls, self._timeout_s, alpn)
        try:
            secured = TlsClient(*whole)
        except Exception as error:
            self.refusals.crashed(error, received.client.name)
            close_with_reset(self._reactor, received.sock)
            self._refuse(received, Refusal(reasons.INTERNAL_ERROR))
            return
        self.entering.add(secured)
        secured.start()

    def tls_agreed(self, secured: TlsClient) -> None:
        """Let the client in."""
        self.entering.discard(secured)
        secured.received.client.let_in_s = time.monotonic()
        self._let_in(secured.received)

    def tls_crashed(self, secured: TlsClient, error: Exception) -> None:
        """Tell what went wrong."""
        self.refusals.crashed(error, secured.received.client.name)

    def tls_refused(self, secured: TlsClient, refusal: Refusal) -> None:
        """Count the client, and forget it."""
        self.entering.discard(secured)
        self._refuse(secured.received, refusal)

    def _let_in(self, received: ReceivedClient) -> None:
        assert received.destination is not None  # noqa: S101 - without backends there is sni
        received.destination.start_session(received.client, received.sock, received)
