"""Streams to a mirror by TLS: what is copied is encrypted, so that nothing can be spliced."""

import errno
import select

from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.kernel.sockets import Socket
from spliceproxy.sinks.answering_outlet import AnsweringOutlet
from spliceproxy.sinks.capture_answers import CaptureAnswers
from spliceproxy.sinks.stream_outlet import StreamOutlet
from spliceproxy.sinks.write_queue import send_queue
from spliceproxy.tls.tls_socket import TlsSocket

_READ_BYTES = 1 << 16


class TlsOutlet(StreamOutlet):
    """Ends a stream in a close_notify and a FIN.

    A mirror that has all of it may close without a close_notify of its own, for nobody looks at its
    answers. Before that it has been cut off: OpenSSL says no more goodbye then, either.
    """

    _sock: TlsSocket | None

    def connected(self, sock: Socket, target: SocketAddress) -> None:
        """Deliver what has queued meanwhile, behind the last words of the handshake."""
        assert isinstance(sock, TlsSocket)  # noqa: S101 - a `SecuredDial` has made it
        sock.room_wanted = self._watch
        super().connected(sock, target)
        self._watch()

    def _has_all(self, sock: Socket) -> bool:
        assert isinstance(sock, TlsSocket)  # noqa: S101
        return super()._has_all(sock) and not sock.unsent

    def _read(self, sock: Socket, *, hung_up: bool) -> None:
        """Decrypt what the mirror says, and drop it; see it end or fail."""
        assert isinstance(sock, TlsSocket)  # noqa: S101
        try:
            data = sock.recv(_READ_BYTES)
            if data and sock.knows_more:
                data = sock.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENODATA or not self._has_all(sock):
                self._fail(error)
                return
            data = b""
        if not data:
            self._read_to_end(hung_up=hung_up)

    def _write(self) -> None:
        sock = self._sock
        if sock is None:
            return
        try:
            if sock.unsent:
                sock.go_on()
            send_queue(self._branch, sock)
        except OSError as error:
            self._fail(error)
            return
        if self._sock is not None:
            self._watch()
            self._end_if_empty()

    def _end_if_empty(self) -> None:
        sock = self._sock
        if not self._finishing or self._branch.queue or sock is None:
            return
        if not self._clean:
            self._close()
            return
        try:
            is_told = sock.say_goodbye()
        except OSError as error:
            if not self._ended:
                self._fail(error)
                return
            is_told = True  # it has left, with all that it was to get
        if not is_told:
            self._watch()
        elif self._ended:
            self._close()
        else:
            self._branch.recorded()

    def _watch(self) -> None:
        """Watch for answers until they end, and for room while something is to be sent."""
        sock = self._sock
        if sock is None:
            return
        events = 0 if self._ended else select.EPOLLIN
        if self._branch.queue or sock.unsent:
            events |= select.EPOLLOUT
        if events != self._events:
            self._events = events
            self._reactor.modify(sock.fileno(), events)


class TlsAnsweringOutlet(AnsweringOutlet, TlsOutlet):
    """An end of the answers that the mirror has not said is a failure: they may be cut short."""

    def _read(self, sock: Socket, *, hung_up: bool) -> None:
        super()._read(sock, hung_up=hung_up)
        if self._sock is not None and self._sock.knows_more:  # an end, read with bytes before it
            super()._read(sock, hung_up=hung_up)

    def _receive(self, answers: CaptureAnswers, sock: Socket) -> int:
        data = sock.recv(_READ_BYTES)
        if data and answers.is_full:
            answers.lose(len(data))
        elif data:
            answers.take(data)
        return len(data)
