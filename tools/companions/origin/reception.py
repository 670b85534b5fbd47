"""Receiving: bytes from a socket become whole requests, within limits of size and time."""

from http import HTTPStatus

import h11
import trio

from spliceproxy.kernel import syscalls
from spliceproxy.kernel.sockets import Socket
from tools.companions.origin.limits import Limits
from tools.companions.origin.refusals import Refusal
from tools.companions.origin.request import Request, collect_headers

_RECEIVE_BYTES = 16 << 10


class MalformedError(Exception):
    """What came is no HTTP; the status says which kind of none."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status)
        self.status = status


class Reception:
    """One connection's way in."""

    def __init__(self, sock: Socket, http: h11.Connection, limits: Limits) -> None:
        self._sock = sock
        self._http = http
        self._limits = limits
        self._deadline = trio.CancelScope()
        self._is_begun = False
        self.request: Request | None = None  # the last one whose header is complete

    async def next_request(self, received: bytes = b"") -> Request | None:
        """Return the next request once it is complete; None when the client is done or silent.

        `received` is what of it has been taken from the socket already.
        One that waits to be told to go on (Expect: 100-continue) counts as complete: a final
        status without it is right too, and nobody needs the body (RFC 9110, 10.1.1).

        Raises:
            MalformedError: 400, 431 or 501; nothing after it can be understood.
            Refusal: 408 for a request that does not end in time, 413 for one with a large body.
            OSError: the client has gone.
        """
        self.request = None
        self._is_begun = bool(self._http.trailing_data[0])  # sent along with the one before
        if self._is_begun:  # hundreds fit into what was received: the others have their turn
            await trio.lowlevel.checkpoint()
        if received:
            self._is_begun = True
            self._http.receive_data(received)
        limits = self._limits
        timeout_s = limits.request_timeout_s if self._is_begun else limits.idle_timeout_s
        with trio.move_on_after(timeout_s) as self._deadline:
            try:
                return await self._receive_request()
            except h11.RemoteProtocolError as error:
                raise MalformedError(HTTPStatus(error.error_status_hint)) from error
        if self._is_begun:
            raise Refusal(HTTPStatus.REQUEST_TIMEOUT)
        return None

    async def _receive_request(self) -> Request | None:
        event = await self._next_event()
        if not isinstance(event, h11.Request):  # ConnectionClosed: no other one stands here
            return None
        headers = collect_headers(event.headers)
        method, version = event.method.decode("latin-1"), event.http_version.decode("latin-1")
        self.request = Request(method, event.target, headers, version)
        if not self._http.they_are_waiting_for_100_continue:
            await self._drop_body(int(headers.get("content-length", "0")))
        return self.request

    async def _drop_body(self, announced_bytes: int) -> None:
        most_bytes, body_bytes = self._limits.max_body_bytes, 0
        while announced_bytes <= most_bytes and body_bytes <= most_bytes:
            event = await self._next_event()
            if isinstance(event, h11.EndOfMessage):
                return
            if isinstance(event, h11.Data):
                body_bytes += len(event.data)
        raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    async def _next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            await self._receive()
        return event

    async def _receive(self) -> None:
        await trio.lowlevel.wait_readable(self._sock)
        try:
            received = syscalls.receive(self._sock, _RECEIVE_BYTES)
        except BlockingIOError:  # readable for nothing, such as urgent data
            return
        if not self._is_begun:
            self._is_begun = bool(received)
            self._deadline.deadline = trio.current_time() + self._limits.request_timeout_s
        self._http.receive_data(received)
