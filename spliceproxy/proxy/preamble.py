"""Reading what a connection begins with, before anybody else reads it.

The bytes are looked at and stay where they are (MSG_PEEK): whatever relays the connection finds
them, and moves them inside the kernel. Only a PROXY header is taken out.
"""

import select
import socket
from collections.abc import Callable, Iterable
from typing import Protocol

from spliceproxy import reasons
from spliceproxy.formats.need_more import NeedMore
from spliceproxy.kernel import syscalls
from spliceproxy.loop.farewell import close_with_reset
from spliceproxy.loop.reactor import Reactor
from spliceproxy.proxy.received_client import ReceivedClient
from spliceproxy.proxy.refusals import Refusal

_EVENTS = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
"""Edge-triggered, unlike all else: bytes that stay in the socket would be reported for ever. For
TCP SO_RCVLOWAT keeps most fragments from being reported at all; unix sockets know nothing of it,
and TCP reports fewer bytes when memory is short (tcp_epollin_ready, include/net/tcp.h)."""
_ENDED = select.EPOLLRDHUP | select.EPOLLHUP


class Step(Protocol):
    """One thing that one connection begins with; it may keep how far it has read."""

    most_bytes: int
    """What is looked at, at most."""
    incomplete: str
    """Why a client is refused that ends in the middle of it."""
    late: str
    """Why a client is refused that takes too long."""

    def read(self, received: ReceivedClient, data: bytes) -> NeedMore | int:
        """Note what it says; how many bytes are to be taken out of the connection.

        Raises:
            Refusal: the client is not to be served.
        """


class PreambleOwner(Protocol):
    """The reception, which lets the client in when its preamble is read, or counts its refusal."""

    def preamble_read(self, preamble: "Preamble") -> None:
        """Take the socket, which is in no epoll set."""

    def preamble_crashed(self, preamble: "Preamble", error: Exception) -> None:
        """Tell what nobody foresaw; the client is refused after that."""

    def preamble_refused(self, preamble: "Preamble", refusal: Refusal) -> None:
        """Forget the client, whose socket is closed."""


class Preamble:
    """Reads the steps one after the other, all within one timeout."""

    __slots__ = (
        "_needed_bytes",
        "_owner",
        "_reactor",
        "_registered",
        "_steps",
        "_timer",
        "received",
    )

    def __init__(
        self,
        reactor: Reactor,
        owner: PreambleOwner,
        received: ReceivedClient,
        steps: Iterable[Callable[[], Step]],
        timeout_s: float,
    ) -> None:
        self._reactor = reactor
        self._owner = owner
        self.received = received
        self._steps = [make() for make in steps]
        self._needed_bytes = 1
        self._registered = False
        self._timer = reactor.timers.after(timeout_s, self)

    def start(self) -> None:
        """Look at what is there already."""
        try:
            self._look(ended=False)
        except Exception as error:
            self.on_crash(error)

    def on_events(self, events: int) -> None:
        """Look again."""
        if events & select.EPOLLERR:
            self.close(reasons.CLIENT_LEFT)
        else:
            self._look(ended=bool(events & _ENDED))

    def _look(self, *, ended: bool) -> None:
        try:
            while self._steps:
                if not self._read(self._steps[0], ended=ended):
                    return
                del self._steps[0]
                self._needed_bytes = 1
        except Refusal as refusal:
            self._refuse(refusal)
            return
        self._stop()
        self._owner.preamble_read(self)

    def _read(self, step: Step, *, ended: bool) -> bool:
        """Return whether the step is done; otherwise more bytes are waited for."""
        sock = self.received.sock
        try:
            data = syscalls.peek(sock, step.most_bytes)
            ended = ended or not data
        except BlockingIOError:
            data = b""
        except OSError:
            raise Refusal(reasons.CLIENT_LEFT) from None
        answer: NeedMore | int = NeedMore(self._needed_bytes)
        if len(data) >= self._needed_bytes:
            answer = step.read(self.received, data)
        if isinstance(answer, NeedMore):
            if ended:
                raise Refusal(step.incomplete if data else reasons.CLIENT_LEFT)
            self._wait_for(answer.length)
            return False
        if answer:
            syscalls.receive(sock, answer)  # what was peeked at is there in one piece
        return True

    def _wait_for(self, count: int) -> None:
        sock = self.received.sock
        self._needed_bytes = count
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)
        if not self._registered:
            self._reactor.register(sock.fileno(), _EVENTS, self)
            self._registered = True

    def on_deadline(self) -> None:
        """Refuse a client that takes too long."""
        self.close(self._steps[0].late)

    def close(self, why: str) -> None:
        """Turn the client away."""
        if self._steps:
            self._refuse(Refusal(why))

    def on_crash(self, error: Exception) -> None:
        """Turn the client away after an exception that nobody foresaw."""
        self._owner.preamble_crashed(self, error)
        self.close(reasons.INTERNAL_ERROR)

    def _refuse(self, refusal: Refusal) -> None:
        self._stop()
        self._steps.clear()
        close_with_reset(self._reactor, self.received.sock)
        self._owner.preamble_refused(self, refusal)

    def _stop(self) -> None:
        self._timer.cancel()
        if self._registered:
            self._reactor.unregister(self.received.sock.fileno())
            self._registered = False
            self.received.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
