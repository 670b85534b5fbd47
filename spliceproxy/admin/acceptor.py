"""Letting clients in, so many at once, and knowing who they are."""

import socket
import struct
from collections.abc import Awaitable, Callable

import structlog
import trio

from spliceproxy.kernel.addresses import name_peer

MAX_CONNECTIONS = 64
"""At once; the others wait in the backlog."""
_PEER_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: SO_PEERCRED, unix(7)

Serve = Callable[[trio.SocketStream, str], Awaitable[None]]


class Acceptor:
    """Lets clients in by several sockets; none of them can end it."""

    def __init__(self) -> None:
        self._room = trio.CapacityLimiter(MAX_CONNECTIONS)

    async def accept(self, sock: socket.socket, serve: Serve) -> None:
        """Accept until cancelled; `serve` gets a client's stream, and who it is."""
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(sock))
        async with trio.open_nursery() as nursery:
            while True:
                ticket = object()
                await self._room.acquire_on_behalf_of(ticket)
                try:
                    stream = await listener.accept()
                except OSError as error:  # out of descriptors or memory: others free some
                    self._room.release_on_behalf_of(ticket)
                    structlog.get_logger().warning("admin_accept_failed", error=str(error))
                    await trio.sleep(1)
                    continue
                nursery.start_soon(self._serve, serve, stream, ticket)

    async def _serve(self, serve: Serve, stream: trio.SocketStream, ticket: object) -> None:
        try:
            async with stream:
                await serve(stream, _name_asker(stream.socket))
        except OSError:  # gone before it could be asked who it is
            return
        finally:
            self._room.release_on_behalf_of(ticket)


def _name_asker(sock: trio.socket.SocketType) -> str:
    if sock.family != socket.AF_UNIX:
        return name_peer(sock.getpeername())
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIALS.size)
    pid, uid, _ = _PEER_CREDENTIALS.unpack(credentials)
    return f"uid={uid} pid={pid}"
