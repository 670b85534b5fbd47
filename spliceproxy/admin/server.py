"""Serving the HTTP clients of the admin interface."""

import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import structlog
import trio

from spliceproxy.admin.acceptor import Acceptor
from spliceproxy.admin.connection import HttpConnection
from spliceproxy.admin.guard import Guard
from spliceproxy.admin.messages import RefusedError, Request, Response, json_response, refusal

Handle = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Door:
    """A listening socket, and who may come in by it."""

    sock: socket.socket
    guard: Guard


class Server:
    """Serves clients until it is cancelled; none of them can end it."""

    def __init__(self, doors: list[Door], handle: Handle) -> None:
        self._doors = doors
        self._handle = handle

    async def run(self) -> None:
        """Accept clients."""
        async with trio.open_nursery() as nursery:
            for door in self._doors:
                # Each door has room of its own: strangers who stall at a port of the network take
                # no place from the operator at the unix socket.
                serve = partial(self._serve, door.guard)
                nursery.start_soon(Acceptor().accept, door.sock, serve)

    async def _serve(self, guard: Guard, stream: trio.SocketStream, asker: str) -> None:
        async def answer(request: Request) -> Response:
            return await self._answer(guard, request)

        await HttpConnection(stream, asker, answer).serve()

    async def _answer(self, guard: Guard, request: Request) -> Response:
        try:
            guard.check(request)
            return await self._handle(request)
        except RefusedError as error:
            return refusal(error)
        except Exception as error:
            structlog.get_logger().error("internal_error", path=request.path, exc_info=error)
            return json_response({"error": "internal error; see the log"}, 500)
