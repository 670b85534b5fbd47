"""Connections by the thousand leave nothing behind, whether one after the other or at once."""

import pytest
import trio

from tests.descriptors import open_descriptors
from tests.proxy.peer import Peer
from tests.proxy.relay import Mode, Relay, all_modes, eventually, relay


async def answer_all(proxied: Relay) -> None:
    """A backend that returns what it is sent, in capitals, and ends."""
    async with trio.open_nursery() as nursery:
        while True:
            nursery.start_soon(answer, await proxied.accept())


async def answer(peer: Peer) -> None:
    received, end = await peer.receive_rest()
    if end == "eof":
        await peer.send(received.upper())
    peer.close()


async def ask(proxied: Relay, number: int) -> None:
    client = await proxied.open_client()
    await client.send(f"question {number}".encode())
    client.finish()
    assert await client.receive_rest() == (f"QUESTION {number}".encode(), "eof")
    client.close()


@pytest.mark.slow
@all_modes
async def test_one_after_the_other(mode: Mode) -> None:
    with trio.fail_after(50):
        async with relay(mode=mode) as proxied, trio.open_nursery() as nursery:
            nursery.start_soon(answer_all, proxied)
            await ask(proxied, 0)
            await proxied.settled()
            before, pipes = open_descriptors(), proxied.worker.pipes.statistics()
            for number in range(1, 201 if mode.tls else 1001):
                await ask(proxied, number)
            await proxied.settled()
            assert open_descriptors() == before
            assert proxied.worker.pipes.statistics() == pipes
            assert {line["reason"] for line in proxied.events("connection")} == {"closed"}
            nursery.cancel_scope.cancel()


@pytest.mark.slow
@all_modes
async def test_many_at_once(mode: Mode) -> None:
    count = 100 if mode.tls else 500  # both sides of each handshake take their time in this thread
    with trio.fail_after(50):
        async with (
            relay(mode=mode, backlog=4096, connect_timeout_s=50) as proxied,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(answer_all, proxied)
            await ask(proxied, 0)
            await proxied.settled()
            before = open_descriptors()
            async with trio.open_nursery() as clients:
                for number in range(1, count + 1):
                    clients.start_soon(ask, proxied, number)
            await proxied.settled()
            assert proxied.worker.pipes.statistics().in_use == 0
            pipes = 2 * proxied.worker.pipes.statistics().idle
            await eventually(lambda: len(open_descriptors()) - len(before) <= pipes)
            assert len(proxied.events("connection")) == count + 1
            nursery.cancel_scope.cancel()


@pytest.mark.slow
async def test_more_at_once_than_the_limit_allows() -> None:
    most = 0

    async def ask_and_count(proxied: Relay, number: int) -> None:
        nonlocal most
        await ask(proxied, number)
        most = max(most, len(proxied.worker.sessions))

    with trio.fail_after(50):
        async with relay(max_connections=20) as proxied, trio.open_nursery() as nursery:
            nursery.start_soon(answer_all, proxied)
            async with trio.open_nursery() as clients:
                for number in range(500):
                    clients.start_soon(ask_and_count, proxied, number)
            await proxied.settled()
            assert len(proxied.events("connection")) == 500
            assert 10 < most <= 20
            nursery.cancel_scope.cancel()
