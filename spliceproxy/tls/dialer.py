"""Securing a connection to a backend by TLS, once it is connected and before it is relayed."""

from typing import Protocol

from spliceproxy import reasons
from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.kernel.sockets import Socket
from spliceproxy.loop.reactor import Reactor
from spliceproxy.tls.client_context import ClientTls
from spliceproxy.tls.handshake import Handshake
from spliceproxy.tls.handshake_turns import HandshakeTurns
from spliceproxy.tls.tls_errors import TlsError
from spliceproxy.tls.tls_socket import TlsSocket


class BackendHandshakeOwner(Protocol):
    """Who wants the connection."""

    def secured(self, sock: Socket, target: SocketAddress) -> None:
        """Take the socket, which is in no epoll set."""

    def not_secured(self, target: SocketAddress, why: str, detail: str) -> None:
        """Take note that there is no agreeing with a backend; its socket is closed."""

    def dial_crashed(self, error: Exception) -> None:
        """Report what went wrong; the socket is closed."""


class TlsDialer:
    """Secures connections to one backend."""

    def __init__(self, reactor: Reactor, turns: HandshakeTurns, tls: ClientTls) -> None:
        self.reactor = reactor
        self.turns = turns
        self._tls = tls
        self.start_tls = tls.start_tls
        """What the backend is asked for TLS with, if it has to be."""

    def wrap(self, sock: Socket) -> TlsSocket:
        """Return a connected socket as one that speaks TLS; the handshake is to come."""
        context, name = self._tls.context, self._tls.server_hostname
        buffers = self.turns.buffers
        return TlsSocket(sock, context, server_side=False, server_hostname=name, buffers=buffers)


class BackendHandshake:
    """The handshake with a backend, in the place of the dial that has connected."""

    __slots__ = ("_handshake", "_owner", "_reactor", "_sock", "_target")

    def __init__(
        self,
        dialer: TlsDialer,
        owner: BackendHandshakeOwner,
        sock: Socket,
        target: SocketAddress,
        timeout_s: float,
    ) -> None:
        self._reactor = dialer.reactor
        self._owner = owner
        self._target = target
        self._sock = dialer.wrap(sock)
        # Forgotten when it is over, for the two know each other, and are to be freed then.
        self._handshake: Handshake | None = Handshake(
            dialer.reactor, dialer.turns, self, self._sock, timeout_s
        )

    def start(self) -> None:
        """Begin."""
        if self._handshake is not None:
            self._handshake.start()

    def cancel(self) -> None:
        """Give up, and close the socket."""
        if self._handshake is not None:
            self._handshake.cancel()
        self._close()

    def handshake_done(self, sock: TlsSocket) -> None:
        """Hand the socket over."""
        self._handshake = None
        self._owner.secured(sock, self._target)

    def handshake_failed(self, error: TlsError | OSError) -> None:
        """Tell why, and close the socket."""
        self._close()
        if isinstance(error, TlsError):
            why, detail = f"backend_{error.name}", error.detail
        else:
            why, detail = reasons.name_error("backend", error.errno or 0), ""
        self._owner.not_secured(self._target, why, detail)

    def handshake_crashed(self, error: Exception) -> None:
        """Report what went wrong."""
        self._close()
        self._owner.dial_crashed(error)

    def _close(self) -> None:
        self._handshake = None
        self._reactor.close_later(self._sock)
