"""What is said to a backend, and heard of it, around the beginning of TLS: STARTTLS, greetings."""

from dataclasses import dataclass

from spliceproxy import reasons
from spliceproxy.formats.starttls.negotiation import Negotiation, Turn
from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.kernel.sockets import Socket
from spliceproxy.loop.negotiator import Negotiator
from spliceproxy.loop.reactor import Reactor
from spliceproxy.loop.timers import Timer
from spliceproxy.tls.dialer import BackendHandshake, BackendHandshakeOwner, TlsDialer
from spliceproxy.tls.greeting_reader import GreetingReader
from spliceproxy.tls.start_tls import StartTls
from spliceproxy.tls.tls_socket import TlsSocket


@dataclass(frozen=True, slots=True)
class Plan:
    """What is negotiated with a backend."""

    before_tls: Negotiation | None = None
    by_tls: Negotiation | None = None
    """After the handshake."""
    greets_client: bool = False
    """Whether the client is to hear the greeting that was read before TLS."""


def make_plan(tls: TlsDialer | None, with_client: StartTls | None) -> Plan | None:
    """Return what is to be negotiated; None: nothing.

    `with_client` is what the client has asked this proxy for TLS with: it has been greeted.
    """
    if tls is not None and tls.start_tls is not None:
        return Plan(tls.start_tls.with_backend(), greets_client=with_client is None)
    greeter = None if with_client is None else with_client.with_greeter()
    if greeter is None:
        return None
    return Plan(before_tls=greeter) if tls is None else Plan(by_tls=greeter)


class StartTlsDial:
    """Talks with a backend in the place of the dial that has connected; each part has its time."""

    __slots__ = (
        "_owner",
        "_part",
        "_plan",
        "_reactor",
        "_sock",
        "_target",
        "_timeout_s",
        "_timer",
        "_tls",
    )

    def __init__(
        self,
        reactor: Reactor,
        owner: BackendHandshakeOwner,
        sock: Socket,
        target: SocketAddress,
        timeout_s: float,
        tls: TlsDialer | None,
        plan: Plan,
    ) -> None:
        self._reactor = reactor
        self._owner = owner
        self._sock = sock
        self._target = target
        self._timeout_s = timeout_s
        self._tls = tls
        self._plan = plan
        self._part: Negotiator | BackendHandshake | GreetingReader | None = None
        self._timer: Timer | None = None

    def start(self) -> None:
        """Begin."""
        if self._plan.before_tls is not None:
            self._begin(
                Negotiator(self._reactor, self, self._sock, self._plan.before_tls, "backend")
            )
        else:
            self._shake_hands()

    def cancel(self) -> None:
        """Give up, and close the socket."""
        part = self._part
        self._forget()
        if part is not None:
            part.cancel()
        if not isinstance(part, BackendHandshake):  # which has closed it
            self._reactor.close_later(self._sock)

    def negotiated(self, turn: Turn) -> None:
        """Go on with the handshake, if there is to be one."""
        self._forget()
        if self._tls is None:
            self._owner.secured(self._sock, self._target)
        else:
            self._shake_hands()

    def negotiation_failed(self, why: str, detail: str, *, was_told: bool) -> None:
        """Tell why, and close the socket."""
        self._fail(why, detail)

    def _shake_hands(self) -> None:
        assert self._tls is not None  # noqa: S101 - a plan without TLS has something before it
        self._part = BackendHandshake(self._tls, self, self._sock, self._target, self._timeout_s)
        self._part.start()

    def secured(self, sock: Socket, target: SocketAddress) -> None:
        """Hand the socket over, unless a greeting is to be read first."""
        self._forget()
        self._sock = sock
        before, by_tls = self._plan.before_tls, self._plan.by_tls
        assert isinstance(sock, TlsSocket)  # noqa: S101 - of the handshake
        if by_tls is not None:
            self._begin(GreetingReader(self._reactor, self, sock, by_tls))
            return
        if before is not None and self._plan.greets_client and before.greeting:
            sock.unread(before.greeting)
        self._owner.secured(sock, target)

    def greeting_read(self) -> None:
        """Hand the socket over."""
        self._forget()
        self._owner.secured(self._sock, self._target)

    def greeting_refused(self, why: str, detail: str) -> None:
        """Tell why, and close the socket."""
        self._fail(why, detail)

    def not_secured(self, target: SocketAddress, why: str, detail: str) -> None:
        """Pass on why; the socket is closed."""
        self._forget()
        self._owner.not_secured(target, why, detail)

    def on_deadline(self) -> None:
        """Give the backend up: it takes too long."""
        self._timer = None
        if self._part is not None:
            self._part.cancel()
        self._fail(reasons.CONNECT_TIMEOUT, "it takes too long before, or behind, TLS")

    def on_crash(self, error: Exception) -> None:
        """Report what went wrong."""
        self._forget()
        self._reactor.close_later(self._sock)
        self._owner.dial_crashed(error)

    def dial_crashed(self, error: Exception) -> None:
        """Pass on what went wrong; the socket is closed."""
        self._forget()
        self._owner.dial_crashed(error)

    def _begin(self, part: Negotiator | GreetingReader) -> None:
        self._part = part
        self._timer = self._reactor.timers.after(self._timeout_s, self)
        part.start()

    def _fail(self, why: str, detail: str) -> None:
        self._forget()
        self._reactor.close_later(self._sock)
        self._owner.not_secured(self._target, why, detail)

    def _forget(self) -> None:
        """Undo the cycles with the part that is over, so that all is freed with the connection."""
        self._part = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
