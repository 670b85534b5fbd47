"""A worker: accepts connections from a shared listening socket and serves each in a task."""

import errno
import socket
import sys
import traceback
from collections.abc import Callable
from typing import Protocol

import trio

from spliceproxy.kernel import syscalls
from spliceproxy.kernel.addresses import name_peer
from spliceproxy.kernel.sockets import Socket

_ACCEPT_PAUSE_S = 0.1
# One at a time would let a hundred clients wait in the backlog while the first of them are served.
_ACCEPT_BATCH = 16
# accept(2): the process or the machine has no more of something, which others may give back.
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
# The connection died in the backlog, or its network did.
_DIED_IN_BACKLOG = {
    errno.ECONNABORTED,
    errno.EPROTO,
    errno.ENETDOWN,
    errno.ENETUNREACH,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.EPERM,  # a firewall forbids it
}


class Servable(Protocol):
    """A connection as the server needs it."""

    async def run(self) -> None:
        """Serve until the end, and close the socket."""


MakeConnection = Callable[[Socket, str], Servable]


async def serve(
    listeners: list[socket.socket], make_connection: MakeConnection, max_connections: int
) -> None:
    """Serve until cancelled, which ends connections in resets.

    Beyond so many connections at a time, the next ones wait in the backlog.
    """
    places = trio.Semaphore(max_connections)
    async with trio.open_nursery() as nursery:
        for listener in listeners:
            nursery.start_soon(_accept_all, listener, make_connection, places, nursery)


async def _accept_all(
    listener: socket.socket,
    make_connection: MakeConnection,
    places: trio.Semaphore,
    nursery: trio.Nursery,
) -> None:
    while True:
        await trio.lowlevel.wait_readable(listener)
        await places.acquire()  # wait until there is one
        places.release()
        for _connection in range(min(_ACCEPT_BATCH, places.value)):
            accepted = await _accept(listener)
            if accepted is None:
                break
            places.acquire_nowait()
            sock, address = accepted
            connection = make_connection(sock, name_peer(address))
            nursery.start_soon(_run, connection, places)


async def _accept(listener: socket.socket) -> tuple[Socket, object] | None:
    try:
        return syscalls.accept(listener, listener.family)
    except BlockingIOError:  # another worker was faster
        return None
    except OSError as error:
        if error.errno in _EXHAUSTED:
            print(f"not accepting for now: {error.strerror}", file=sys.stderr)
            await trio.sleep(_ACCEPT_PAUSE_S)
        elif error.errno not in _DIED_IN_BACKLOG:
            raise
        return None


async def _run(connection: Servable, places: trio.Semaphore) -> None:
    try:
        await connection.run()
    except Exception:  # a fault of one connection leaves the others alone
        traceback.print_exc()
    finally:
        places.release()
