"""The story of one connection: requests come in, answers go out, until one side has enough."""

import contextlib
import errno
import socket
import sys
from collections.abc import Iterator
from http import HTTPStatus

import h11
import trio

from spliceproxy.kernel import syscalls
from spliceproxy.kernel.sockets import Socket, finish_cleanly
from tools.companions.origin.answer import Answer, error_page
from tools.companions.origin.delivery import Delivery, StalledError
from tools.companions.origin.encoding import encode
from tools.companions.origin.ledger import Ledger
from tools.companions.origin.memory_lane import MemoryLane, Unsent
from tools.companions.origin.reception import MalformedError, Reception
from tools.companions.origin.refusals import Refusal
from tools.companions.origin.request import Request
from tools.companions.origin.service import Service
from tools.companions.techniques.sender import FileShrunkError

# What a socket says when its peer, or the way to it, has gone (tcp(7), ip(7), shutdown(2)).
_CLIENT_GONE = {
    errno.ECONNRESET,
    errno.EPIPE,
    errno.ENOTCONN,
    errno.ETIMEDOUT,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
}
_LINGER_BYTES = 64 << 10
_MOST_LINGER_READS = 64


class Connection:
    """Answers the requests of one client, one after the other.

    The socket resets on close (`prepare_stream`), so that an answer that was cut ends in an error
    on the client's side too. Only between two answers is that taken off.
    """

    def __init__(self, sock: Socket, peer: str, service: Service) -> None:
        limits = service.limits
        self._sock = sock
        self._site = service.site
        self._linger_timeout_s = limits.linger_timeout_s
        self._http = h11.Connection(h11.SERVER, limits.max_header_bytes)
        self._ledger = Ledger(peer, service.counts, service.log)
        self._reception = Reception(sock, self._http, limits)
        self._delivery = Delivery(
            sock, service.technique, limits, service.cold_reader, service.direct_files
        )
        self._is_answering = False
        self._answers = service.answers
        self._lane = None
        if service.answers is not None:
            self._lane = MemoryLane(sock, service.answers, self._ledger, limits.idle_timeout_s)

    async def run(self) -> None:
        """Serve until the end, and close the socket."""
        try:
            while await self._exchange():
                if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                    await self._linger()
                    break
                self._http.start_next_cycle()
        except (StalledError, FileShrunkError):
            return  # the log has it
        except OSError as error:
            if error.errno not in _CLIENT_GONE:  # such as no pipe to be had
                print(f"{self._ledger.peer}: cut off: {error}", file=sys.stderr)
        finally:
            if not self._is_answering:
                finish_cleanly(self._sock)
            self._sock.close()

    async def _exchange(self) -> bool:
        """Answer one request; False when none came."""
        received = b""
        if self._lane is not None and not self._http.trailing_data[0]:
            received = await self._leave(self._lane)
            if not received:
                return False
        try:
            request = await self._reception.next_request(received)
            if request is None:
                return False
            answer = self._find_answer(request)
        except Refusal as refusal:
            answer = error_page(refusal)
        except MalformedError as error:
            answer = error_page(Refusal(error.status))
        try:
            await self._send(self._reception.request, answer)
        finally:
            answer.close()
        return True

    async def _leave(self, lane: MemoryLane) -> bytes:
        """Return the first bytes of a request that is not answered from memory; none at the end."""
        while isinstance(found := await lane.next_bytes(), Unsent):
            request = Request("GET", found.target, {})
            with self._answering(request, HTTPStatus.OK):
                self._delivery.sent_bytes += found.sent_bytes
                await self._delivery.send(found.left, (), None)
        return found

    def _find_answer(self, request: Request) -> Answer:
        try:
            return self._site.answer(request)
        except OSError as error:
            print(f"{self._ledger.peer} {request.target!r}: {error}", file=sys.stderr)
            return error_page(Refusal(HTTPStatus.INTERNAL_SERVER_ERROR))

    async def _send(self, request: Request | None, answer: Answer) -> None:
        is_head = request is not None and request.method == "HEAD"
        header, body = encode(self._http, answer, is_head=is_head)
        with self._answering(request, answer.status):
            await self._delivery.send(header, body, answer.file)
        # Where the client's side is not done, the header says "Connection: close".
        if self._answers is None or request is None or is_head:
            return
        if self._http.their_state is h11.DONE:
            self._answers.keep(request.target, answer, header)

    @contextlib.contextmanager
    def _answering(self, request: Request | None, status: int) -> Iterator[None]:
        self._is_answering = True
        with self._ledger.answering(request, status, lambda: self._delivery.sent_bytes):
            yield
        self._is_answering = False

    async def _linger(self) -> None:
        """Give the client time to read the answer and close.

        Closing with unread bytes would reset the connection and destroy what the client has not
        read yet (RFC 9112, 9.6).
        """
        self._sock.shutdown(socket.SHUT_WR)
        with trio.move_on_after(self._linger_timeout_s):
            for _read in range(_MOST_LINGER_READS):
                await trio.lowlevel.wait_readable(self._sock)
                if not syscalls.receive(self._sock, _LINGER_BYTES):
                    return
