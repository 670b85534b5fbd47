"""Letting clients in, so many at once, and knowing who they are."""

import socket
from collections.abc import Awaitable, Callable

import structlog
import trio

from spliceproxy import reasons
from spliceproxy.admin.house import Guest, House
from spliceproxy.admin.peer import find_peer
from spliceproxy.kernel.sockets import finish_cleanly

_RETRY_S = 1.0

Serve = Callable[[trio.SocketStream, Guest], Awaitable[None]]


class Acceptor:
    """Lets clients in by several sockets; none of them can end it."""

    def __init__(self) -> None:
        self._house = House()

    async def accept(self, sock: socket.socket, serve: Serve) -> None:
        """Accept until cancelled; `serve` gets a client's stream, and it as a guest.

        Raises:
            OSError: the socket is not one to accept from.
        """
        finish_cleanly(sock)  # what it accepts inherits that: an answer ends in a FIN behind it
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(sock))
        async with trio.open_nursery() as nursery:
            while True:
                try:
                    stream = await listener.accept()
                except OSError as error:  # of clients that are gone by now Trio tells nothing
                    if error.errno not in reasons.EXHAUSTION_ERRNOS:
                        structlog.get_logger().error("admin_accept_failed", error=str(error))
                        raise
                    structlog.get_logger().warning("admin_accept_paused", error=str(error))
                    await trio.sleep(_RETRY_S)
                    continue
                self._receive(serve, stream, nursery)

    def _receive(self, serve: Serve, stream: trio.SocketStream, nursery: trio.Nursery) -> None:
        try:
            guest = self._house.admit(find_peer(stream.socket))
        except OSError:  # gone before it could be asked who it is
            guest = None
        if guest is None:
            stream.socket.close()
        else:
            nursery.start_soon(self._serve, serve, stream, guest)

    async def _serve(self, serve: Serve, stream: trio.SocketStream, guest: Guest) -> None:
        try:
            async with stream:
                with guest.scope:
                    await serve(stream, guest)
        finally:
            self._house.leave(guest)
