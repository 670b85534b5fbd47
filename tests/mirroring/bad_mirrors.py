"""Mirrors that misbehave, as peers that a test plays."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import trio

from tests.backlog import full_tcp_backlog, full_unix_backlog
from tests.mirroring.mirrored import LOCALHOST
from tests.ports import free_port
from tests.proxy.peer import Acceptor, Peer
from tests.streams import Buffers

SMALL_BUFFERS = Buffers(receive_bytes=16 << 10)


@contextmanager
def refusing(kind: str, directory: Path) -> Iterator[str]:
    """Nobody listens there."""
    if kind == "unix":
        yield f"unix:{directory}/absent"
        return
    yield f"{kind}://{LOCALHOST}:{free_port()}"


@contextmanager
def never_answering(kind: str) -> Iterator[str]:
    """Somebody listens, with a backlog that is full."""
    if kind == "unix":
        with full_unix_backlog() as (path, _):
            yield f"unix:{path.path}"
    else:
        with full_tcp_backlog() as (address, _):
            yield f"{kind}://{address}"


class Reader:
    """A mirror that reads as the test says; `text` is its name on a command line."""

    def __init__(self, acceptor: Acceptor, kind: str) -> None:
        self._acceptor = acceptor
        self._speaks_tls = kind == "tls"
        address = acceptor.address
        where = (
            f"unix:{address}" if isinstance(address, str) else f"{kind}://{LOCALHOST}:{address[1]}"
        )
        self.text = where
        self.peers: list[Peer] = []

    async def accept(self) -> Peer:
        """The connection of the next stream."""
        peer = await self._acceptor.accept()
        self.peers.append(peer)
        if self._speaks_tls:
            await peer.speak_tls(server_side=True)
        return peer


@asynccontextmanager
async def reader(kind: str, directory: Path) -> AsyncIterator[Reader]:
    """A mirror that reads nothing by itself."""
    address = str(directory / "mirror.sock") if kind == "unix" else (LOCALHOST, 0)
    acceptor = Acceptor(address, SMALL_BUFFERS, 16)
    made = Reader(acceptor, kind)
    try:
        yield made
    finally:
        acceptor.close()
        for peer in made.peers:
            peer.close()


async def read_byte_by_byte(peer: Peer, count: int) -> bytes:
    received = bytearray()
    while len(received) < count:
        received += await peer.receive_exactly(1)
        await trio.sleep(0.0005)
    return bytes(received)
