"""What may become of a connection under faults: all bytes, or an end that both sides can see."""

import random
from dataclasses import dataclass

import trio
from structlog.typing import EventDict

from tests.proxy.payload import assert_prefix, assert_same
from tests.proxy.peer import End, Peer
from tests.proxy.relay import Connection


@dataclass
class Outcome:
    """What one direction's receiver got, and how it ended."""

    received: bytes
    end: End


async def exchange(
    connection: Connection, request: bytes, response: bytes, seed: int, largest: int = 20_000
) -> tuple[Outcome, Outcome]:
    """Send both ways at once in random chunks, then end; the outcomes of request and response."""
    outcomes: dict[str, Outcome] = {}

    async def send(peer: Peer, data: bytes) -> None:
        try:
            await peer.send_in_chunks(data, random.Random(seed), largest)
            peer.finish()
        except OSError:  # the proxy has ended the connection
            pass

    async def receive(name: str, peer: Peer) -> None:
        outcomes[name] = Outcome(*await peer.receive_rest())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send, connection.client, request)
        nursery.start_soon(send, connection.backend, response)
        nursery.start_soon(receive, "request", connection.backend)
        nursery.start_soon(receive, "response", connection.client)
    return outcomes["request"], outcomes["response"]


def judge(sent: bytes, outcome: Outcome, line: EventDict) -> None:
    """A clean end comes behind all bytes; anything less is seen as a reset, and logged."""
    if outcome.end == "eof":
        assert_same(outcome.received, sent)
    else:
        assert_prefix(outcome.received, sent)
        assert line["reason"] != "closed"
