"""HTTP/1.1 on one connection: requests in, answers out, all of it bounded."""

import math
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import h11
import trio

from spliceproxy.admin.house import Guest
from spliceproxy.admin.messages import RefusedError, Request, Response, refusal

MAX_HEAD_BYTES = 16 << 10
MAX_BODY_BYTES = 64 << 10
REQUEST_TIMEOUT_S = 5.0
"""For a whole request to arrive: the first since the connection began, others since they did."""
IDLE_TIMEOUT_S = 60.0
"""Between an answer and the next request."""
SEND_TIMEOUT_S = 10.0
"""For each part of an answer to be taken."""
_SEND_BYTES = 64 << 10
_PARTING_TIMEOUT_S = 2.0
_PARTING_BYTES = 1 << 20

Handler = Callable[[Request], Awaitable[Response]]


class HttpConnection:
    """Answers one request after the other, until the client leaves, stalls or talks nonsense."""

    def __init__(self, stream: trio.abc.HalfCloseableStream, guest: Guest, handle: Handler) -> None:
        self._stream = stream
        self._guest = guest
        self._handle = handle
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._body_wanted = True

    async def serve(self) -> None:
        """Serve the connection to its end."""
        request_by = trio.current_time() + REQUEST_TIMEOUT_S
        try:
            while await self._wait_for_client(request_by):
                await self._send(await self._answer(request_by))
                if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                    await self._part()
                    return
                self._http.start_next_cycle()
                self._guest.waits()
                request_by = math.inf
        except (trio.BrokenResourceError, trio.TooSlowError, h11.ProtocolError):
            return  # gone, stalled, or in no state to be told anything

    async def _wait_for_client(self, request_by: float) -> bool:
        """Wait for the first byte of a request; False when there is none."""
        if self._http.trailing_data[0]:
            return True
        with trio.move_on_at(min(request_by, trio.current_time() + IDLE_TIMEOUT_S)):
            return await self._receive()
        return False

    async def _receive(self) -> bool:
        data = await self._stream.receive_some(_SEND_BYTES)
        self._http.receive_data(bytes(data))
        return bool(data)

    async def _answer(self, request_by: float) -> Response:
        try:
            with trio.fail_at(min(request_by, trio.current_time() + REQUEST_TIMEOUT_S)):
                request = await self._read_request()
            await trio.lowlevel.checkpoint_if_cancelled()  # sent away: then nothing is begun
            self._guest.asks()
            return await self._handle(request)
        except h11.RemoteProtocolError as error:
            return refusal(RefusedError(error.error_status_hint, f"not understood: {error}"))
        except RefusedError as error:
            return refusal(error)

    async def _read_request(self) -> Request:
        head = await self._next_event()
        if not isinstance(head, h11.Request):
            raise trio.BrokenResourceError
        if {b"content-length", b"transfer-encoding"} <= {name for name, _ in head.headers}:
            # Whoever stands before us may have read another end of it (RFC 9112, section 6.1).
            raise RefusedError(400, "a body with two lengths")
        if self._http.they_are_waiting_for_100_continue:
            await self._stream.send_all(
                self._http.send(h11.InformationalResponse(status_code=100, headers=[])) or b""
            )
        body = bytearray()
        while isinstance(event := await self._next_event(), h11.Data):
            body += event.data
            if len(body) > MAX_BODY_BYTES:
                raise RefusedError(413, f"a body of more than {MAX_BODY_BYTES} bytes")
        if not isinstance(event, h11.EndOfMessage):
            raise trio.BrokenResourceError
        headers = {name.decode(): value.decode("latin-1") for name, value in head.headers}
        method, target = head.method.decode(), head.target.decode()
        self._body_wanted = method != "HEAD"
        try:
            urlsplit(target)
        except ValueError as error:
            raise RefusedError(400, f"the target is no URL: {error}") from None
        return Request(method, target, headers, bytes(body), self._guest.peer.name)

    async def _next_event(self) -> h11.Event | type[h11.PAUSED]:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            await self._receive()
        return event  # type: ignore[return-value]  # NEED_DATA is excluded

    async def _send(self, response: Response) -> None:
        headers = {
            "Content-Type": response.content_type,
            "Content-Length": str(len(response.body)),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            **({"Connection": "close"} if self._guest.stands else {}),
            **response.headers,
        }
        events = (
            h11.Response(status_code=response.status, headers=list(headers.items())),
            h11.Data(data=response.body if self._body_wanted else b""),
            h11.EndOfMessage(),
        )
        data = b"".join(self._http.send(event) or b"" for event in events)
        for start in range(0, len(data), _SEND_BYTES):
            with trio.fail_after(SEND_TIMEOUT_S):
                await self._stream.send_all(data[start : start + _SEND_BYTES])

    async def _part(self) -> None:
        """End the stream, and take what is still coming for a while.

        A close that leaves bytes unread is a reset, which destroys what the client has not read
        yet (RFC 9112, section 9.6).
        """
        self._guest.waits()  # for its end: whoever comes goes first
        await self._stream.send_eof()
        left = _PARTING_BYTES
        with trio.move_on_after(_PARTING_TIMEOUT_S):
            while left > 0 and (data := await self._stream.receive_some(_SEND_BYTES)):
                left -= len(data)
