"""The same scenario in each mode, and without a proxy: the same outcome.

A connection straight from client to backend is the judge of what bytes and which kind of end
each side is to see.
"""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import trio

from tests.proxy.payload import assert_same, random_bytes
from tests.proxy.peer import Acceptor, End, Peer, open_peer
from tests.proxy.relay import COPY, SPLICE, TLS_MODES, Connection, Mode, relay
from tests.streams import KERNEL_CHOICE

Step = tuple[str, str, int]

STREAM = random_bytes(1 << 20)
SEEDS = range(40)


@dataclass(frozen=True)
class Seen:
    """All that one side got."""

    received: bytes
    end: End | None  # None: it has reset the connection itself


def write_scenario(seed: int) -> list[Step]:
    """Steps that leave nothing to chance: each side's last word is an end or a reset."""
    chance = random.Random(seed)
    steps: list[Step] = []
    open_sides = ["client", "backend"]
    urgent_sides = ["client", "backend"]
    while open_sides:
        side = chance.choice(open_sides)
        action = chance.choices(["send", "urgent", "finish", "reset"], [12, 2, 3, 1])[0]
        if action == "urgent":
            if side not in urgent_sides:
                continue
            urgent_sides.remove(side)
        elif action == "finish":
            open_sides.remove(side)
        elif action == "reset":
            open_sides.clear()
        steps.append((action, side, int(2 ** chance.uniform(0, 15))))
    return steps


@asynccontextmanager
async def direct() -> AsyncIterator[Connection]:
    acceptor = Acceptor(("127.0.0.1", 0), KERNEL_CHOICE, 16)
    client = await open_peer(acceptor.address, KERNEL_CHOICE)
    backend = await acceptor.accept()
    acceptor.close()
    yield Connection(client, backend)
    client.close()
    backend.close()


@asynccontextmanager
async def proxied(mode: Mode) -> AsyncIterator[Connection]:
    async with relay(mode=mode) as running:
        yield await running.connect()


async def play(connection: Connection, steps: list[Step]) -> dict[str, Seen]:
    peers = {"client": connection.client, "backend": connection.backend}
    at = 0
    for action, side, size in steps:
        peer = peers[side]
        if action == "send":
            await peer.send(STREAM[at : at + size])
            at += size
        elif action == "urgent":
            peer.send_urgent(b"!")
        elif action == "finish":
            peer.finish()
        else:
            await trio.sleep(0.01)  # a reset destroys what the peer's own kernel still holds
            peer.reset()
        await trio.sleep(0.001)
    return {side: await see(peer) for side, peer in peers.items()}


async def see(peer: Peer) -> Seen:
    if peer.is_closed:
        return Seen(b"", None)
    return Seen(*await peer.receive_rest())


@pytest.mark.parametrize("seed", SEEDS)
async def test_all_modes_do_what_the_kernel_does(seed: int) -> None:
    steps = write_scenario(seed)
    with trio.fail_after(20):
        async with direct() as connection:
            expected = await play(connection, steps)
        for mode in (SPLICE, COPY, *TLS_MODES.values()):
            async with proxied(mode) as connection:
                seen = await play(connection, steps)
            for side in ("client", "backend"):
                assert_same(seen[side].received, expected[side].received)
                assert seen[side].end == expected[side].end
