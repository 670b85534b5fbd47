"""Short connections by the dozen, each a request and its answer, and which of them were served."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import trio

from tests.mirroring.mirrored import Mirrored
from tests.proxy.peer import Peer
from tests.proxy.relay import Relay

REQUEST, ANSWER = b"a request", b"its answer"


@asynccontextmanager
async def answering(proxied: Relay) -> AsyncIterator[list[bytes]]:
    """A backend that answers each request when it has ended; the requests that reached it."""
    requests: list[bytes] = []

    async def answer(peer: Peer) -> None:
        data, end = await peer.receive_rest()
        if data or end == "eof":
            requests.append(data)
        with suppress(OSError):
            await peer.send(ANSWER)
        peer.close()

    async def accept(nursery: trio.Nursery) -> None:
        while True:
            nursery.start_soon(answer, await proxied.accept())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(accept, nursery)
        yield requests
        nursery.cancel_scope.cancel()


async def ask(proxied: Relay) -> bool:
    """One connection; whether it was served: the whole answer, and an orderly end behind it."""
    client = await proxied.open_client()
    with suppress(OSError):
        await client.send(REQUEST)
        client.finish()
    received, end = await client.receive_rest()
    client.close()
    return (received, end) == (ANSWER, "eof")


async def served(proxied: Mirrored, count: int) -> int:
    """How many of so many connections, one after the other, are served."""
    return sum([await ask(proxied) for _ in range(count)])
