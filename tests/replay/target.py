"""A server that a replay goes to; it remembers each connection."""

import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from spliceproxy.settings.address import TcpAddress


@dataclass
class Met:
    """What the target has seen of a connection."""

    began_s: float
    data: bytearray = field(default_factory=bytearray)
    pieces: list[tuple[float, bytes]] = field(default_factory=list)
    end: str = ""


Serve = Callable[[trio.SocketStream, Met], Awaitable[None]]


async def echo(stream: trio.SocketStream, met: Met) -> None:
    await read_all(stream, met, answer=lambda data: data)


async def read_all(
    stream: trio.SocketStream, met: Met, answer: Callable[[bytes], bytes] = lambda data: b""
) -> None:
    """Take all; give what `answer` makes of each piece; end when the client has ended."""
    async for data in stream:
        met.data += data
        met.pieces.append((trio.current_time(), bytes(data)))
        if told := answer(bytes(data)):
            await stream.send_all(told)
    met.end = "end"


def reset(stream: trio.SocketStream) -> None:
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.socket.close()


@dataclass
class Target:
    address: TcpAddress
    met: list[Met] = field(default_factory=list)
    live: int = 0
    most_live: int = 0

    @property
    def requests(self) -> list[bytes]:
        return [bytes(met.data) for met in self.met]

    async def settled(self) -> None:
        """Wait until all connections have ended here, too."""
        while self.live or not all(met.end for met in self.met):  # noqa: ASYNC110 - a test
            await trio.sleep(0.01)


@asynccontextmanager
async def target_of(serve: Serve = echo) -> AsyncIterator[Target]:
    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        target = Target(TcpAddress("127.0.0.1", listener.socket.getsockname()[1]))

        async def handle(stream: trio.SocketStream) -> None:
            met = Met(trio.current_time())
            target.met.append(met)
            target.live += 1
            target.most_live = max(target.most_live, target.live)
            try:
                await serve(stream, met)
            except trio.BrokenResourceError:
                met.end = "reset"
            finally:
                met.end = met.end or "closed"
                target.live -= 1

        nursery.start_soon(trio.serve_listeners, handle, [listener])
        yield target
        with trio.fail_after(10):
            await target.settled()
        nursery.cancel_scope.cancel()
