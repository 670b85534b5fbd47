"""Serving the HTTP clients of the admin interface."""

import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import structlog
import trio

from spliceproxy.admin.acceptor import Acceptor
from spliceproxy.admin.connection import REQUEST_TIMEOUT_S, HttpConnection
from spliceproxy.admin.guard import HEALTH_PATHS, READING, Guard, WrongTokenError
from spliceproxy.admin.house import Guest
from spliceproxy.admin.messages import RefusedError, Request, Response, json_response, refusal
from spliceproxy.admin.orders_log import log_refused_order, log_tls_refused, log_wrong_token
from spliceproxy.admin.slowdown import Slowdown
from spliceproxy.admin.tls_stream import TlsStream, is_end
from spliceproxy.settings.attach_grants import AttachGrant
from spliceproxy.settings.listen import ListenSettings
from spliceproxy.tls.certificate_files import ServerFiles

Handle = Callable[[Request], Awaitable[Response]]


@dataclass(slots=True)
class Door:
    """A listening socket, and who may come in by it."""

    sock: socket.socket
    guard: Guard
    tls: ssl.SSLContext | None = None
    """What its clients are spoken to with; None: without TLS."""
    attach: tuple[AttachGrant, ...] = ()
    """Which mirrors operators may attach, whichever door they come by."""
    where: ListenSettings | None = None
    """The entry of the settings that it stands for."""
    files: ServerFiles | None = None
    """What `tls` is made of."""


class Server:
    """Serves clients until it is cancelled; none of them can end it."""

    def __init__(self, doors: list[Door], handle: Handle) -> None:
        self._doors = doors
        self._handle = handle
        self._slowdown = Slowdown()

    async def run(self) -> None:
        """Accept clients."""
        async with trio.open_nursery() as nursery:
            for door in self._doors:
                # Each door has room of its own: strangers who stall at a port of the network take
                # no seat from the operator at the unix socket.
                serve = partial(self._serve, door)
                nursery.start_soon(Acceptor().accept, door.sock, serve)

    async def _serve(self, door: Door, stream: trio.SocketStream, guest: Guest) -> None:
        async def answer(request: Request) -> Response:
            return await self._answer(door.guard, guest, request)

        if door.tls is None:
            await HttpConnection(stream, guest, answer).serve()
            return
        secured = TlsStream(stream, door.tls)
        if await self._shake_hands(secured, guest):
            await HttpConnection(secured, guest, answer).serve()

    async def _shake_hands(self, stream: TlsStream, guest: Guest) -> bool:
        """Agree with a client on TLS, and find out who it is."""
        try:
            with trio.fail_after(REQUEST_TIMEOUT_S):
                await stream.do_handshake()
        except trio.TooSlowError:
            return False
        except trio.BrokenResourceError as error:
            if isinstance(error.__cause__, ssl.SSLError) and not is_end(error.__cause__):
                log_tls_refused(guest.peer.name, error.__cause__.reason or "")
                await self._slowdown.wait(guest.peer.key)
            return False
        guest.peer = guest.peer.with_certificate(stream.certificate())
        return True

    async def _answer(self, guard: Guard, guest: Guest, request: Request) -> Response:
        try:
            await self._let_in(guard, guest, request)
            if guest.stands and request.path not in HEALTH_PATHS:
                raise RefusedError(503, "too many connections: try again in some seconds")
            return await self._handle(request)
        except RefusedError as error:
            if isinstance(error, WrongTokenError):
                log_wrong_token(request.path, request.asker)
            elif request.method not in READING:
                log_refused_order(request.path, request.asker, str(error))
            return refusal(error)
        except Exception as error:
            structlog.get_logger().error("internal_error", path=request.path, exc_info=error)
            return json_response({"error": "internal error; see the log"}, 500)

    async def _let_in(self, guard: Guard, guest: Guest, request: Request) -> None:
        try:
            guard.check(request, guest.peer)
        except RefusedError as error:
            if isinstance(error, WrongTokenError) or request.method not in READING:
                await self._slowdown.wait(guest.peer.key)
            raise
