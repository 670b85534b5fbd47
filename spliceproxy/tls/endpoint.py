"""One of a link's two sockets that speaks TLS. A plain one has no trace of it."""

import select

from spliceproxy.pump.endpoint import Endpoint
from spliceproxy.tls.tls_socket import TlsSocket, do_nothing


class TlsEndpoint(Endpoint):
    """Sees to what a TLS socket needs beside reading and writing what the flows move.

    That is room for what OpenSSL has to say by itself, and the end of the stream, which is one
    more record: it may have been read together with the bytes before it, so that no event comes.
    """

    __slots__ = ()

    sock: TlsSocket

    def watch(self, *, already_registered: bool) -> None:
        """Start to read."""
        super().watch(already_registered=already_registered)
        self.sock.room_wanted = self.update
        if self.sock.knows_more:  # what was read before the link began
            self.link.reactor.timers.after(0.0, _LookAtRest(self))
        if self.sock.unsent:  # the last words of the handshake
            self.update()

    def update(self) -> None:
        """Watch for what the two flows need now, and OpenSSL."""
        super().update()
        if self.sock.unsent and not self._events & select.EPOLLOUT:
            self._watch_for_room()
        if self._events & select.EPOLLIN and self.sock.knows_more:
            self.link.reactor.timers.after(0.0, _LookAtRest(self))

    def _watch_for_room(self) -> None:
        self._events |= select.EPOLLOUT
        if self._watched:
            self.link.reactor.modify(self.fd, self._events)
        else:
            self.link.reactor.register(self.fd, self._events, self)
            self._watched = True

    def leave(self, *, closes: bool) -> None:
        """Leave the epoll set, as a goodbye may have to wait for room, and untie the socket."""
        super().leave(closes=False)
        self.sock.room_wanted = do_nothing

    def on_events(self, events: int) -> None:
        """Act on the socket's events, and on an end that was read together with bytes."""
        if events & select.EPOLLOUT and not self.outbound.paused:
            if self.sock.unsent:
                self._send_what_waits()
            else:  # a flow has sent it meanwhile; room is reported for as long as it is asked for
                self.update()
            if not self._events:
                return
        super().on_events(events)
        if self.sock.knows_more:
            self.look_at_rest()

    def _send_what_waits(self) -> None:
        try:
            self.sock.go_on()
        except OSError as error:
            self.link.destination_failed(self.outbound, error.errno or 0)
        else:
            self.update()

    def look_at_rest(self) -> None:
        """Read an end that no event tells of, unless the source is not to be read now."""
        if self._events & select.EPOLLIN and self.sock.knows_more:
            super().on_events(select.EPOLLIN)


class _LookAtRest:
    """Tells an endpoint that it may go on reading; its link may be over by then."""

    def __init__(self, endpoint: TlsEndpoint) -> None:
        self._endpoint = endpoint

    def on_deadline(self) -> None:
        self._endpoint.look_at_rest()

    def on_crash(self, error: Exception) -> None:
        self._endpoint.on_crash(error)
