"""Holding a negotiation for TLS on a socket, up to the first byte of TLS and no further."""

import errno
import select
import socket
from typing import Protocol

from spliceproxy import reasons
from spliceproxy.formats.need_more import NeedMore
from spliceproxy.formats.starttls.negotiation import (
    MAX_BYTES,
    Negotiation,
    StartTlsError,
    Then,
    Turn,
)
from spliceproxy.kernel import syscalls
from spliceproxy.kernel.sockets import Socket
from spliceproxy.loop.reactor import Reactor

_EVENTS = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
"""Edge-triggered: bytes that are looked at, and stay, would be reported for ever. SO_RCVLOWAT keeps
most fragments from being reported at all."""
_ENDED = select.EPOLLRDHUP | select.EPOLLHUP


class NegotiatorOwner(Protocol):
    """Who has opened the socket, closes it, and bounds the time."""

    def negotiated(self, turn: Turn) -> None:
        """Go on as the last turn says; the socket is in no epoll set."""

    def negotiation_failed(self, why: str, detail: str, *, was_told: bool) -> None:
        """Leave the other side; if it was told why, nothing is left unread, and it may read that.

        So a clean end destroys nothing of it, and a reset might.
        """

    def on_crash(self, error: Exception) -> None:
        """Report what nobody foresaw; the negotiation is over."""


class Negotiator:
    """Holds one side of a negotiation.

    What comes is looked at (MSG_PEEK) and taken out turn by turn, so that TLS, or whatever relays
    the connection, finds its first byte in the socket.
    """

    __slots__ = ("_is_over", "_needed_bytes", "_owner", "_reactor", "_side", "_sock", "negotiation")

    def __init__(
        self,
        reactor: Reactor,
        owner: NegotiatorOwner,
        sock: Socket,
        negotiation: Negotiation,
        side: str,
    ) -> None:
        """`side` is who the other one is: ``client`` or ``backend``."""
        self._reactor = reactor
        self._owner = owner
        self._sock = sock
        self._side = side
        self._needed_bytes = 1
        self._is_over = True  # as it has not begun
        self.negotiation = negotiation

    def start(self) -> None:
        """Say the first word, if it is this side's, and look at what is there already."""
        try:
            self._reactor.register(self._sock.fileno(), _EVENTS, self)
            self._is_over = False
            if self._say(self.negotiation.begin()):
                self._look(ended=False)
        except Exception as error:
            self.on_crash(error)

    def on_events(self, events: int) -> None:
        """Look again."""
        if events & select.EPOLLERR:
            number = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self._fail(reasons.name_error(self._side, number))
        else:
            self._look(ended=bool(events & _ENDED))

    def on_crash(self, error: Exception) -> None:
        """End after an exception that nobody foresaw."""
        self.cancel()
        self._owner.on_crash(error)

    def cancel(self) -> None:
        """Leave the socket to its owner."""
        if not self._is_over:
            self._is_over = True
            self._reactor.unregister(self._sock.fileno())
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)

    def _look(self, *, ended: bool) -> None:
        """Take turns for as long as there is something to answer."""
        try:
            while not self._is_over:
                turn = self._read(ended=ended)
                if turn is None:
                    return
                self._take(turn)
        except StartTlsError as error:
            self._refuse(error)
        except OSError as error:
            self._fail(reasons.name_error(self._side, error.errno or 0))

    def _read(self, *, ended: bool) -> Turn | None:
        """Return the next turn; None: more is waited for, or will not come."""
        data = b""
        try:
            data = syscalls.peek(self._sock, MAX_BYTES)
            ended = ended or not data
        except BlockingIOError:
            pass
        answer: NeedMore | Turn = NeedMore(self._needed_bytes)
        if len(data) >= self._needed_bytes:
            answer = self.negotiation.read(data)
        if isinstance(answer, Turn):
            return answer
        if ended:
            self._fail(*self._left(data))
        elif answer.length != self._needed_bytes:
            self._needed_bytes = answer.length
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, answer.length)
        return None

    def _take(self, turn: Turn) -> None:
        if turn.take:
            syscalls.receive(self._sock, turn.take)  # what was looked at is there in one piece
        if self._needed_bytes != 1:
            self._needed_bytes = 1
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        if self._say(turn.say) and turn.then is not Then.MORE:
            self.cancel()
            self._owner.negotiated(turn)

    def _refuse(self, error: StartTlsError) -> None:
        if error.last_words:
            syscalls.receive(self._sock, MAX_BYTES)
        if self._say(error.last_words):
            self._fail(error.why, str(error), was_told=bool(error.last_words))

    def _say(self, words: bytes) -> bool:
        """Send a few bytes, for which a new connection has room; whether that went well."""
        if not words:
            return True
        try:
            if syscalls.send(self._sock, words) == len(words):
                return True
            number = errno.EAGAIN
        except OSError as error:
            number = error.errno or 0
        self._fail(reasons.name_error(self._side, number))
        return False

    def _left(self, data: bytes) -> tuple[str, str]:
        """Name the end of a stream that has none of TLS in it."""
        if self._side == "backend":
            return reasons.BACKEND_BAD_STARTTLS, "it closed the connection"
        return (reasons.BAD_STARTTLS, "an end in the middle") if data else (reasons.CLIENT_LEFT, "")

    def _fail(self, why: str, detail: str = "", *, was_told: bool = False) -> None:
        if not self._is_over:
            self.cancel()
            self._owner.negotiation_failed(why, detail, was_told=was_told)
