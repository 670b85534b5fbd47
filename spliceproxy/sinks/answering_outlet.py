"""A stream to a peer whose answers are recorded."""

import errno
import socket
from collections.abc import Callable

from spliceproxy.kernel.sockets import Socket
from spliceproxy.loop.reactor import Reactor
from spliceproxy.sinks.branch import Branch
from spliceproxy.sinks.capture_answers import CaptureAnswers
from spliceproxy.sinks.stream_outlet import MakeDial, StreamOutlet, scratch

_READ_BYTES = 1 << 16
_CUT_SHORT = frozenset({errno.ECONNRESET, errno.ENODATA})
"""A reset; and by TLS an end that the peer has not said (`TlsSocket.recv`)."""
MOST_GOODBYE_S = 60.0
"""How long a peer may go on to answer when the stream has ended; as long as a command."""


class AnsweringOutlet(StreamOutlet):
    """Reads answers as they come, whether there is room for them or not.

    A peer that is not read from would stop reading, too.
    """

    def __init__(
        self,
        branch: Branch,
        reactor: Reactor,
        dial: MakeDial,
        keep: Callable[[], CaptureAnswers | None],
    ) -> None:
        """`keep` begins to record; None: the connection that the peer mirrors is not captured."""
        super().__init__(branch, reactor, dial)
        self._keep = keep
        self._until_s = 0.0
        self._is_over = False

    def start(self) -> None:
        """Begin to connect."""
        self.answers = self._keep()
        if self.answers is not None:
            self.answers.start()
            self._closed = self._close_answers
        super().start()

    def finish(self, *, clean: bool) -> None:
        """See `Outlet.finish`; who has much to answer may take its time."""
        self._until_s = self._reactor.now_s + MOST_GOODBYE_S
        super().finish(clean=clean)

    def _write(self) -> None:
        super()._write()
        if self.answers is not None:
            self.answers.sent(self._branch.delivered_bytes)

    def _read(self, sock: Socket, *, hung_up: bool) -> None:
        """Record what the peer says; see it end or fail."""
        answers = self.answers
        if answers is None:
            super()._read(sock, hung_up=hung_up)
            return
        try:
            count = self._receive(answers, sock)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno in _CUT_SHORT:
                answers.end(is_reset=True)
            self._fail(error)
            return
        if count:
            if self._finishing and self._reactor.now_s < self._until_s:
                self._branch.progressed()
        else:
            answers.end(is_reset=False)
            self._read_to_end(hung_up=hung_up)

    def _receive(self, answers: CaptureAnswers, sock: Socket) -> int:
        if answers.is_full:
            count = sock.recv_into(scratch, len(scratch), socket.MSG_TRUNC)
            if count:
                answers.lose(count)
            return count
        data = sock.recv(_READ_BYTES)
        if data:
            answers.take(data)
        return len(data)

    def _close_answers(self) -> None:
        """The connection is over; the stream is when its answers are written."""
        if self._is_over:
            return
        self._is_over = True
        assert self.answers is not None  # noqa: S101 - else nobody calls this
        self.answers.sent(self._branch.delivered_bytes)
        self.answers.close(self._why_over(), self._branch.closed)

    def _why_over(self) -> str:
        if self._branch.reason:
            return self._branch.reason
        return "closed" if self._ended else "end_timeout"
