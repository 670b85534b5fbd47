"""Reading what a backend says first, by TLS, before its connection is relayed."""

import select
from typing import Protocol

from spliceproxy import reasons
from spliceproxy.formats.need_more import NeedMore
from spliceproxy.formats.starttls.negotiation import MAX_BYTES, Negotiation, StartTlsError
from spliceproxy.loop.reactor import Reactor
from spliceproxy.tls.tls_socket import TlsSocket


class GreetingReaderOwner(Protocol):
    """Who has opened the socket, closes it, and bounds the time."""

    def greeting_read(self) -> None:
        """Go on; the socket is in no epoll set."""

    def greeting_refused(self, why: str, detail: str) -> None:
        """Leave the backend."""

    def on_crash(self, error: Exception) -> None:
        """Report what nobody foresaw; the reading is over."""


class GreetingReader:
    """Takes the greeting out, behind which nothing comes: then it is the client's turn."""

    __slots__ = ("_is_over", "_negotiation", "_owner", "_reactor", "_received", "_sock")

    def __init__(
        self,
        reactor: Reactor,
        owner: GreetingReaderOwner,
        sock: TlsSocket,
        negotiation: Negotiation,
    ) -> None:
        self._reactor = reactor
        self._owner = owner
        self._sock = sock
        self._negotiation = negotiation
        self._received = b""
        self._is_over = False

    def start(self) -> None:
        """Wait for it."""
        self._reactor.register(self._sock.fileno(), select.EPOLLIN, self)

    def cancel(self) -> None:
        """Leave the socket to its owner."""
        if not self._is_over:
            self._is_over = True
            self._reactor.unregister(self._sock.fileno())

    def on_events(self, events: int) -> None:
        """Read on."""
        try:
            data = self._sock.recv(MAX_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._refuse(reasons.name_error("backend", error.errno or 0), "")
            return
        self._received += data
        if data:
            self._read()
        else:
            self._refuse(reasons.BACKEND_BAD_STARTTLS, "it closed the connection")

    def _read(self) -> None:
        try:
            answer = self._negotiation.read(self._received)
        except StartTlsError as error:
            self._refuse(error.why, str(error))
            return
        if not isinstance(answer, NeedMore):
            self.cancel()
            self._owner.greeting_read()

    def _refuse(self, why: str, detail: str) -> None:
        self.cancel()
        self._owner.greeting_refused(why, detail)

    def on_crash(self, error: Exception) -> None:
        """End after an exception that nobody foresaw."""
        self.cancel()
        self._owner.on_crash(error)
