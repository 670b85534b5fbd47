"""How a socket ends: in a FIN, or in a reset that destroys nothing sent before it."""

from collections.abc import Callable

from spliceproxy.kernel.sockets import Socket, finish_cleanly, undelivered_bytes
from spliceproxy.loop.reactor import Reactor
from spliceproxy.loop.timers import Timer

_LOOK_AGAIN_S = 0.010  # a peer may hold back its acknowledgement for 40 ms (delayed ACK)
_GIVE_UP_S = 30.0  # without any progress of the peer


def close_cleanly(reactor: Reactor, sock: Socket) -> None:
    """Close a socket whose both directions have ended; a FIN follows the last byte."""
    finish_cleanly(sock)
    reactor.close_later(sock)


def close_with_reset(reactor: Reactor, sock: Socket) -> None:
    """Reset at once; what the peer has not acknowledged is lost, and the peer can see it."""
    reactor.close_later(sock)  # see prepare_stream: a reset is what a plain close does


class ResetAfterDelivery:
    """Resets a socket once its peer has everything that was sent to it.

    A reset overtakes nothing but destroys what still waits in the send buffer. There is no event
    for "all acknowledged", so the queue is looked at until it is empty or stands still.
    """

    __slots__ = ("_done", "_left_bytes", "_progress_s", "_reactor", "_sock", "_timer")

    def __init__(self, reactor: Reactor, sock: Socket, done: Callable[[], None]) -> None:
        self._reactor = reactor
        self._sock = sock
        self._done = done
        self._left_bytes = -1
        self._progress_s = reactor.now_s
        self._timer: Timer | None = None

    def start(self) -> None:
        """Reset now if nothing is left to deliver."""
        self.on_deadline()

    def on_deadline(self) -> None:
        """Reset if nothing is left to deliver, else look again."""
        left_bytes = undelivered_bytes(self._sock)
        if left_bytes != self._left_bytes:
            self._left_bytes = left_bytes
            self._progress_s = self._reactor.now_s
        if left_bytes and self._reactor.now_s - self._progress_s < _GIVE_UP_S:
            self._timer = self._reactor.timers.after(_LOOK_AGAIN_S, self)
        else:
            self.cut()

    def cut(self) -> None:
        """Reset now, whatever is left."""
        if self._timer is not None:
            self._timer.cancel()
        close_with_reset(self._reactor, self._sock)
        self._done()

    def on_crash(self, error: Exception) -> None:
        """Reset now."""
        self.cut()
