"""Connecting to a mirror, and agreeing on TLS with it."""

from collections.abc import Callable

from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.kernel.sockets import Socket
from spliceproxy.loop.dial import DialOwner
from spliceproxy.loop.reactor import Reactor
from spliceproxy.sinks import stream_outlet
from spliceproxy.sinks.stream_outlet import MakeDial, PeerDial
from spliceproxy.tls.dialer import BackendHandshake, TlsDialer


class SecuredDial:
    """A dial, then a handshake; each has the connect timeout.

    There is one handshake: an address that answers with what is not to be believed ends it.
    """

    def __init__(
        self,
        reactor: Reactor,
        tls: TlsDialer,
        owner: DialOwner,
        connect: MakeDial,
        note: Callable[[str, str], None],
    ) -> None:
        """`note` is told why a handshake has failed, and what OpenSSL says of it."""
        self._reactor = reactor
        self._tls = tls
        self._owner = owner
        self._note = note
        self._part: PeerDial | None = connect(self)

    def start(self) -> None:
        """Begin to connect."""
        if self._part is not None:
            self._part.start()

    def cancel(self) -> None:
        """Give up, and close what is under way."""
        if self._part is not None:
            self._part.cancel()
            self._part = None

    def connected(self, sock: Socket, target: SocketAddress) -> None:
        """Begin the handshake."""
        timeout_s = stream_outlet.CONNECT_TIMEOUT_S
        try:
            handshake = BackendHandshake(self._tls, self, sock, target, timeout_s)
        except BaseException:
            self._reactor.close_later(sock)
            raise
        self._part = handshake
        handshake.start()

    def secured(self, sock: Socket, target: SocketAddress) -> None:
        """Hand the socket over."""
        self._part = None
        self._owner.connected(sock, target)

    def not_secured(self, target: SocketAddress, why: str, detail: str) -> None:
        """Tell why; the socket is closed."""
        self._note(why, detail)
        self.dial_failed(why)

    def attempt_failed(self, target: SocketAddress, why: str) -> None:
        """Pass on that an address did not answer."""
        self._owner.attempt_failed(target, why)

    def dial_failed(self, why: str) -> None:
        """Pass on that there is no connection."""
        self._part = None
        self._owner.dial_failed(why)

    def dial_crashed(self, error: Exception) -> None:
        """Pass on what nobody foresaw."""
        self._part = None
        self._owner.dial_crashed(error)
