"""Many small messages arrive in order and without a wait for more."""

import time

import pytest
import trio
import trio.lowlevel

from tests.proxy.payload import assert_same, random_bytes
from tests.proxy.peer import Peer
from tests.proxy.relay import Mode, all_modes, relay

# What the kernel makes a tail wait when it is told that more will come (MSG_MORE).
STALL_S = 0.2


@pytest.mark.slow
@all_modes
async def test_one_byte_writes_by_the_thousand_both_ways(mode: Mode) -> None:
    size = 20_000 if mode.tls else 100_000  # each of them is a record
    request, response = random_bytes(size, seed=1), random_bytes(size, seed=2)
    received: dict[str, bytes] = {}

    async def send_bytes(peer: Peer, data: bytes) -> None:
        for at in range(len(data)):
            await peer.send(data[at : at + 1])
            if at % 50 == 0:
                await trio.lowlevel.checkpoint()
        peer.finish()

    async def receive(name: str, peer: Peer) -> None:
        received[name], _ = await peer.receive_rest()

    with trio.fail_after(50):
        async with relay(mode=mode) as proxied:
            connection = await proxied.connect()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send_bytes, connection.client, request)
                nursery.start_soon(send_bytes, connection.backend, response)
                nursery.start_soon(receive, "request", connection.backend)
                nursery.start_soon(receive, "response", connection.client)
    assert_same(received["request"], request)
    assert_same(received["response"], response)


@all_modes
@pytest.mark.parametrize("size", [1, 10, 700])
async def test_no_burst_of_segments_waits_for_more(mode: Mode, size: int) -> None:
    """A stall is always there; a wait that comes from a busy machine is not there each time."""
    with trio.fail_after(50):
        async with relay(mode=mode) as proxied:
            connection = await proxied.connect()
            for segments in range(1, 65):
                waits_s: list[float] = []
                while not waits_s or (min(waits_s) > STALL_S / 2 and len(waits_s) < 5):
                    started_s = time.monotonic()
                    for _ in range(segments):
                        # At once: the proxy is in this thread, and sees them all together.
                        assert connection.client.send_some(bytes(size)) == size
                    await connection.backend.receive_exactly(segments * size)
                    waits_s.append(time.monotonic() - started_s)
                assert min(waits_s) < STALL_S / 2, f"{segments} segments"


@all_modes
@pytest.mark.parametrize("size", [1, 700, 40_000, 1_500_000])
@pytest.mark.parametrize("sender", ["client", "backend"])
async def test_the_last_bytes_do_not_wait_for_the_end(mode: Mode, size: int, sender: str) -> None:
    """The end of the stream arrives with its last bytes, first in one direction, then in both."""
    data = random_bytes(size)

    async def pass_on(sends: Peer, receives: Peer) -> float:
        started_s = time.monotonic()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_and_finish, sends, data)
            received, end = await receives.receive_rest()
        assert end == "eof"
        assert_same(received, data)
        return time.monotonic() - started_s

    with trio.fail_after(50):
        async with relay(mode=mode) as proxied:
            waits_s: list[float] = []
            while not waits_s or (min(waits_s) > STALL_S / 2 and len(waits_s) < 5):
                first, second = (await proxied.connect()).ends(sender)
                waits_s.append(max(await pass_on(first, second), await pass_on(second, first)))
            assert min(waits_s) < STALL_S / 2


async def send_and_finish(peer: Peer, data: bytes) -> None:
    await peer.send(data)
    peer.finish()


@all_modes
async def test_ping_pong(mode: Mode) -> None:
    with trio.fail_after(20):
        async with relay(mode=mode) as proxied:
            connection = await proxied.connect()
            for number in range(500):
                byte = bytes([number % 256])
                await connection.client.send(byte)
                assert await connection.backend.receive_exactly(1) == byte
                await connection.backend.send(byte)
                assert await connection.client.receive_exactly(1) == byte
            connection.client.finish()
            connection.backend.finish()
            line = await proxied.line()
    assert line["request_bytes"] == line["response_bytes"] == 500
