"""Listening for the clients of the admin interface."""

import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
import trio

from spliceproxy.admin.connection import HttpConnection
from spliceproxy.admin.guard import Guard
from spliceproxy.admin.messages import RefusedError, Request, Response, json_response, refusal
from spliceproxy.kernel.addresses import name_peer

MAX_CONNECTIONS = 64
"""At once by each door; the others wait in the backlog. Strangers who stall at a port of the
network take no place from the operator at the unix socket."""
_PEER_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: SO_PEERCRED, unix(7)

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
                nursery.start_soon(self._accept, door, nursery)

    async def _accept(self, door: Door, nursery: trio.Nursery) -> None:
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(door.sock))
        room = trio.Semaphore(MAX_CONNECTIONS)
        while True:
            await room.acquire()
            try:
                stream = await listener.accept()
            except OSError as error:  # out of descriptors or memory: others free some
                room.release()
                structlog.get_logger().warning("admin_accept_failed", error=str(error))
                await trio.sleep(1)
                continue
            nursery.start_soon(self._serve, door.guard, stream, room)

    async def _serve(self, guard: Guard, stream: trio.SocketStream, room: trio.Semaphore) -> None:
        async def answer(request: Request) -> Response:
            return await self._answer(guard, request)

        try:
            async with stream:
                asker = _name_asker(stream.socket)
                await HttpConnection(stream, asker, answer).serve()
        except OSError:  # gone before it could be asked who it is
            return
        finally:
            room.release()

    async def _answer(self, guard: Guard, request: Request) -> Response:
        try:
            guard.check(request)
            return await self._handle(request)
        except RefusedError as error:
            return refusal(error)
        except Exception as error:
            structlog.get_logger().error("internal_error", path=request.path, exc_info=error)
            return json_response({"error": "internal error; see the log"}, 500)


def _name_asker(sock: trio.socket.SocketType) -> str:
    if sock.family != socket.AF_UNIX:
        return name_peer(sock.getpeername())
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIALS.size)
    pid, uid, _ = _PEER_CREDENTIALS.unpack(credentials)
    return f"uid={uid} pid={pid}"
