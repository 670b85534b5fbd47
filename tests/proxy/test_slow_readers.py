"""A reader that falls behind holds its own sender back, and nobody else."""

import resource
from collections import Counter

import pytest
import trio
import trio.lowlevel

from spliceproxy.kernel.pipes import FULL_CAPACITY_BYTES, FULL_SIZE_PIPES
from spliceproxy.pump.flow import Flow
from tests.proxy.bookkeeping import check_bookkeeping, live_links
from tests.proxy.payload import assert_same, random_bytes
from tests.proxy.peer import Peer
from tests.proxy.relay import COPY, SPLICE, TLS_MODES, Mode, Relay, all_modes, relay
from tests.proxy.small_sockets import shrink_proxy_sockets
from tests.streams import Buffers

fast_senders = pytest.mark.parametrize("sender", ["client", "backend"])

MIB = 1 << 20


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often flows have paused and resumed."""
    counted: Counter[str] = Counter()
    real = Flow.set_paused

    def set_paused(flow: Flow) -> None:
        real(flow)
        counted["paused" if flow.paused else "resumed"] += 1

    monkeypatch.setattr(Flow, "set_paused", set_paused)
    return counted


@all_modes
@fast_senders
async def test_the_sender_is_stopped_and_every_byte_is_read_later(
    mode: Mode, sender: str, pauses: Counter[str]
) -> None:
    with trio.fail_after(30):
        async with relay(mode=mode) as proxied:
            sends, reads = (await proxied.connect()).ends(sender)
            sent = await send_until_stopped(proxied, sends)
            assert held_bytes(proxied) <= FULL_CAPACITY_BYTES
            received = bytearray()
            while len(received) < len(sent) // 2:
                received += await reads.receive_exactly(1024)
                check_bookkeeping(proxied.worker)
            sends.finish()
            rest, end = await reads.receive_rest()
            assert end == "eof"
            assert_same(bytes(received + rest), sent)
            assert held_bytes(proxied) == 0
            check_bookkeeping(proxied.worker)
    assert pauses["paused"] == pauses["resumed"] > 0


@all_modes
@fast_senders
async def test_other_connections_are_served_meanwhile(mode: Mode, sender: str) -> None:
    with trio.fail_after(30):
        async with relay(mode=mode) as proxied:
            sends, _ = (await proxied.connect()).ends(sender)
            await send_until_stopped(proxied, sends)
            other = await proxied.connect()
            for _ in range(100):
                await other.client.send(b"question")
                assert await other.backend.receive_exactly(8) == b"question"
                await other.backend.send(b"answer")
                assert await other.client.receive_exactly(6) == b"answer"


@all_modes
async def test_the_other_direction_of_the_same_connection_is_served(mode: Mode) -> None:
    with trio.fail_after(30):
        async with relay(mode=mode) as proxied:
            connection = await proxied.connect()
            await send_until_stopped(proxied, connection.client)
            data = random_bytes(MIB)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(connection.backend.send, data)
                assert_same(await connection.client.receive_exactly(MIB), data)
            check_bookkeeping(proxied.worker)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "sender"),
    [
        (SPLICE, "client"),
        (SPLICE, "backend"),
        (COPY, "client"),
        (TLS_MODES["tls"], "client"),
        (TLS_MODES["tls"], "backend"),
    ],
)
async def test_a_gigabyte_behind_a_trickle_costs_no_memory(mode: Mode, sender: str) -> None:
    chunk = random_bytes(MIB)
    sent = 0

    async def send_a_gigabyte(peer: Peer) -> None:
        nonlocal sent
        for _ in range(1024):
            await peer.send(chunk)
            sent += len(chunk)

    with trio.fail_after(30):
        async with relay(mode=mode, buffers=Buffers(receive_bytes=4096)) as proxied:
            sends, reads = (await proxied.connect()).ends(sender)
            memory_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send_a_gigabyte, sends)
                for _ in range(100):
                    assert len(await reads.receive_exactly(1024)) == 1024
                    await trio.sleep(0.01)
                    assert held_bytes(proxied) <= FULL_CAPACITY_BYTES
                nursery.cancel_scope.cancel()
            memory_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory_kib
            assert proxied.worker.pipes.statistics().capacity_bytes <= 2 * FULL_CAPACITY_BYTES
    assert sent < 32 * MIB
    assert memory_kib < 16 << 10


@pytest.mark.slow
async def test_many_stalled_readers_share_the_budget_of_full_size_pipes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stalled = FULL_SIZE_PIPES + 16
    small = Buffers(send_bytes=16384, receive_bytes=16384, segment_bytes=536)
    shrink_proxy_sockets(monkeypatch, small)
    with trio.fail_after(50):
        async with relay(buffers=small) as proxied:
            connections = [await proxied.connect() for _ in range(stalled)]
            sent = [await send_until_stopped(proxied, each.client) for each in connections]
            pipes = proxied.worker.pipes.statistics()
            assert FULL_SIZE_PIPES < pipes.in_use <= stalled
            assert pipes.capacity_bytes <= (FULL_SIZE_PIPES + 1) * FULL_CAPACITY_BYTES
            check_bookkeeping(proxied.worker)
            for connection, data in zip(connections, sent, strict=True):
                connection.client.finish()
                received, end = await connection.backend.receive_rest()
                assert end == "eof"
                assert_same(received, data)
            assert proxied.worker.pipes.statistics().in_use == 0


async def send_until_stopped(proxied: Relay, peer: Peer) -> bytes:
    """Send until the proxy holds bytes that it cannot pass on; what was sent."""
    data = random_bytes(24 * MIB)
    sent = 0
    port = peer.sock.getsockname(), peer.sock.getpeername()

    def is_stopped() -> bool:
        for link in live_links(proxied.worker):
            for flow in (link.request, link.response):
                ends = flow.source.sock.getpeername(), flow.source.sock.getsockname()
                if ends == port and flow.paused:
                    return True
        return False

    while not is_stopped():
        assert sent < len(data)
        sent += peer.send_some(data[sent : sent + 65536])
        await trio.lowlevel.checkpoint()
    return data[:sent]


def held_bytes(proxied: Relay) -> int:
    return sum(
        link.request.pending_bytes + link.response.pending_bytes
        for link in live_links(proxied.worker)
    )
