"""Random sizes through buffers of all sizes, both directions at once: the bytes are the same."""

import random

import pytest
import trio

from tests.proxy.payload import assert_same, random_bytes
from tests.proxy.peer import Peer
from tests.proxy.relay import Mode, Transport, all_modes, both_transports, relay
from tests.proxy.small_sockets import shrink_proxy_sockets
from tests.streams import Buffers

LARGEST_CHUNK_BYTES = 1 << 20


@all_modes
@both_transports
@pytest.mark.parametrize(
    ("buffer_bytes", "total_bytes", "seed"),
    [
        (2 << 10, 300_000, 1),
        (2 << 10, 300_000, 7),
        (16 << 10, 1_000_000, 3),
        (128 << 10, 2_000_000, 4),
        (4 << 20, 6_000_000, 5),
        (0, 3_000_000, 6),
    ],
)
async def test_both_directions_at_once(
    monkeypatch: pytest.MonkeyPatch,
    mode: Mode,
    transport: Transport,
    buffer_bytes: int,
    total_bytes: int,
    seed: int,
) -> None:
    # Without small segments, a tiny buffer is filled once in 200 ms: a segment does not fit in it.
    small = Buffers(buffer_bytes, buffer_bytes, segment_bytes=536 if seed % 2 else 0)
    shrink_proxy_sockets(monkeypatch, small)
    request = random_bytes(total_bytes, seed)
    response = random_bytes(total_bytes, seed + 100)
    received: dict[str, bytes] = {}

    async def receive(name: str, peer: Peer) -> None:
        received[name], end = await peer.receive_rest()
        assert end == "eof"

    async def send(peer: Peer, data: bytes) -> None:
        await peer.send_in_chunks(data, random.Random(seed), LARGEST_CHUNK_BYTES)
        peer.finish()

    with trio.fail_after(30):
        async with relay(mode=mode, transport=transport, buffers=small) as proxied:
            connection = await proxied.connect()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send, connection.client, request)
                nursery.start_soon(send, connection.backend, response)
                nursery.start_soon(receive, "response", connection.client)
                nursery.start_soon(receive, "request", connection.backend)
            line = await proxied.line()
    assert_same(received["request"], request)
    assert_same(received["response"], response)
    assert line["reason"] == "closed"
    assert (line["request_bytes"], line["response_bytes"]) == (total_bytes, total_bytes)
