"""The story of one connection: requests come in, answers go out, until one side has enough."""

import errno
import socket
import sys
import time
from http import HTTPStatus

import h11
import trio

from spliceproxy.kernel import syscalls
from spliceproxy.kernel.sockets import Socket, finish_cleanly
from tools.companions.origin.access_log import AccessLog
from tools.companions.origin.answer import Answer, error_page
from tools.companions.origin.delivery import Delivery, StalledError
from tools.companions.origin.encoding import encode
from tools.companions.origin.limits import Limits
from tools.companions.origin.reception import MalformedError, Reception
from tools.companions.origin.refusals import Refusal
from tools.companions.origin.request import Request
from tools.companions.origin.senders import Technique
from tools.companions.origin.site import Site
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

    def __init__(
        self,
        sock: Socket,
        peer: str,
        site: Site,
        technique: Technique,
        limits: Limits,
        log: AccessLog | None,
    ) -> None:
        self._sock = sock
        self._peer = peer
        self._site = site
        self._linger_timeout_s = limits.linger_timeout_s
        self._log = log
        self._http = h11.Connection(h11.SERVER, limits.max_header_bytes)
        self._reception = Reception(sock, self._http, limits)
        self._delivery = Delivery(sock, technique, limits)
        self._is_answering = False

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
                print(f"{self._peer}: cut off: {error}", file=sys.stderr)
        finally:
            if not self._is_answering:
                finish_cleanly(self._sock)
            self._sock.close()

    async def _exchange(self) -> bool:
        """Answer one request; False when none came."""
        try:
            request = await self._reception.next_request()
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

    def _find_answer(self, request: Request) -> Answer:
        try:
            return self._site.answer(request)
        except OSError as error:
            print(f"{self._peer} {request.target!r}: {error}", file=sys.stderr)
            return error_page(Refusal(HTTPStatus.INTERNAL_SERVER_ERROR))

    async def _send(self, request: Request | None, answer: Answer) -> None:
        began_s, before_bytes = time.monotonic(), self._delivery.sent_bytes
        is_head = request is not None and request.method == "HEAD"
        header, body = encode(self._http, answer, is_head=is_head)
        end = "cancelled"
        self._is_answering = True
        try:
            await self._delivery.send(header, body, answer.file)
            end = "complete"
            self._is_answering = False
        except StalledError:
            end = "stalled"
            raise
        except FileShrunkError:
            end = "file-shrunk"
            raise
        except OSError as error:
            end = (error.strerror or "gone").lower().replace(" ", "-")
            raise
        finally:
            if self._log is not None:
                sent_bytes = self._delivery.sent_bytes - before_bytes
                took_s = time.monotonic() - began_s
                self._log.write(self._peer, request, answer.status, sent_bytes, took_s, end)

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
