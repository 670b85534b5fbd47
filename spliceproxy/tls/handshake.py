"""Agreeing with a peer on TLS, before any byte is relayed: within a time, in turns with others."""

import select
import time
from typing import Protocol

from spliceproxy.loop.reactor import Reactor
from spliceproxy.tls.handshake_turns import HandshakeTurns
from spliceproxy.tls.tls_errors import CROWDED_OUT, TIMEOUT, TlsError
from spliceproxy.tls.tls_socket import TlsSocket


class HandshakeOwner(Protocol):
    """Who wants the connection, and closes the socket unless it gets it."""

    def handshake_done(self, sock: TlsSocket) -> None:
        """Take the socket, which is in no epoll set."""

    def handshake_failed(self, error: TlsError | OSError) -> None:
        """Close the socket, which is in no epoll set."""

    def handshake_crashed(self, error: Exception) -> None:
        """Close the socket, and tell what nobody foresaw."""


class Handshake:
    """One handshake; the peer may be a client or a backend, as the socket has it."""

    __slots__ = ("_events", "_owner", "_reactor", "_sock", "_timer", "_turns")

    def __init__(
        self,
        reactor: Reactor,
        turns: HandshakeTurns,
        owner: HandshakeOwner,
        sock: TlsSocket,
        timeout_s: float,
    ) -> None:
        self._reactor = reactor
        self._turns = turns
        self._owner = owner
        self._sock = sock
        self._events = 0
        self._timer = reactor.timers.after(timeout_s, self)

    def start(self) -> None:
        """Begin when the peer does, or at once if it waits for this side."""
        try:
            self._begin()
        except Exception as error:
            self.on_crash(error)

    def _begin(self) -> None:
        is_server = self._sock.tls.server_side
        if is_server:
            self._turns.enter(self)
        self._wait_for(select.EPOLLIN if is_server else select.EPOLLIN | select.EPOLLOUT)
        if not is_server and self._turns.may_step():
            self._step()

    def on_events(self, events: int) -> None:
        """Go on, in this batch or in the next."""
        if self._turns.may_step():
            self._step()

    def _step(self) -> None:
        began_s = time.monotonic()
        try:
            wanted = self._sock.advance()
        except (TlsError, OSError) as error:
            self._turns.spend(began_s)
            self._fail(error)
            return
        if wanted:
            self._wait_for(wanted)
        self._turns.spend(began_s)
        if not wanted:
            self.cancel()
            self._owner.handshake_done(self._sock)

    def _wait_for(self, events: int) -> None:
        if not self._events:
            self._reactor.register(self._sock.fileno(), events, self)
        elif events != self._events:
            self._reactor.modify(self._sock.fileno(), events)
        self._events = events

    def cancel(self) -> None:
        """Watch the socket no more, and leave it open."""
        self._timer.cancel()
        self._turns.leave(self)
        if self._events:
            self._reactor.unregister(self._sock.fileno())
            self._events = 0

    def crowd_out(self) -> None:
        """Give up: others need its place."""
        self._fail(TlsError(CROWDED_OUT))

    def on_deadline(self) -> None:
        """Give up: the peer takes too long."""
        self._fail(TlsError(TIMEOUT))

    def _fail(self, error: TlsError | OSError) -> None:
        self.cancel()
        self._owner.handshake_failed(error)

    def on_crash(self, error: Exception) -> None:
        """Give up after an exception that nobody foresaw."""
        self.cancel()
        self._owner.handshake_crashed(error)
