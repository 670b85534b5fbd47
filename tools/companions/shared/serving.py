"""A TCP server for as long as nobody asks it to stop."""

import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from typing import TextIO

import trio

from spliceproxy.errors import StartProblem
from spliceproxy.kernel.addresses import name_listener, name_peer
from spliceproxy.kernel.listening import find_tcp, listen_everywhere, listen_tcp
from spliceproxy.settings.address import TcpAddress

BACKLOG = 1024

Handler = Callable[[socket.socket, str], Awaitable[None]]
"""Serves one connection: a non-blocking socket, and its peer's name.

The socket is closed behind it: with a reset, unless `finish_cleanly` was called on it.
"""


async def until_signal(work: Callable[[], Awaitable[object]]) -> bool:
    """Do some work, and cancel it at SIGINT or SIGTERM; whether it was cancelled."""
    cut_short = False

    async def watch(cancel: Callable[[], None]) -> None:
        nonlocal cut_short
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as arrivals:
            async for _number in arrivals:
                cut_short = True
                cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch, nursery.cancel_scope.cancel)
        await trio.lowlevel.checkpoint()  # so that the receiver is open before the work starts
        await work()
        nursery.cancel_scope.cancel()
    return cut_short


def open_listeners(address: TcpAddress, receive_buffer_bytes: int = 0) -> list[socket.socket]:
    """Listen on an address.

    Raises:
        StartProblem: it cannot be listened on.
    """
    try:
        listeners = _listen(address)
    except OSError as error:
        raise StartProblem(
            f"cannot listen on {address}: {error.strerror}", "choose another with --listen"
        ) from None
    for listener in listeners:
        if receive_buffer_bytes:
            # Before connections come: they take it over, and offer a window to match (tcp(7)).
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
    return listeners


def _listen(address: TcpAddress) -> list[socket.socket]:
    if address.host is None:
        return [listen_everywhere(address.port, BACKLOG, 0.0)]
    with ExitStack() as opened:
        listeners = [
            opened.enter_context(listen_tcp(family, name, BACKLOG, 0.0))
            for family, name in find_tcp(address.host, address.port)
        ]
        opened.pop_all()
    return listeners


def announce(listeners: list[socket.socket], output: TextIO) -> None:
    """Say where connections are accepted: a line for each listener, with the port that it got."""
    for listener in listeners:
        print(f"listening on {name_listener(listener)}", file=output, flush=True)


async def serve(listeners: list[socket.socket], handler: Handler, most_connections: int) -> None:
    """Announce and accept for ever; those beyond the limit are reset. Closes the listeners."""
    announce(listeners, sys.stdout)
    limit = trio.CapacityLimiter(most_connections)
    await trio.serve_listeners(
        partial(_handle, handler, limit),
        [trio.SocketListener(trio.socket.from_stdlib_socket(sock)) for sock in listeners],
    )


async def _handle(handler: Handler, limit: trio.CapacityLimiter, stream: trio.SocketStream) -> None:
    with own_socket(stream) as sock:
        try:
            peer = name_peer(sock.getpeername())
            limit.acquire_nowait()
        except (OSError, trio.WouldBlock):  # it has been reset meanwhile, or is to be
            return
        try:
            await handler(sock, peer)
        finally:
            limit.release()


def own_socket(stream: trio.SocketStream) -> socket.socket:
    """Take a stream's socket out of Trio's hands, for steps that are plain functions."""
    sock = socket.socket(fileno=stream.socket.detach())
    sock.setblocking(False)
    return sock
