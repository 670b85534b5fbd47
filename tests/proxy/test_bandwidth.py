"""Bandwidth of connections and routes, through whole sessions."""

import pytest
import trio

from tests.proxy.payload import assert_same, random_bytes
from tests.proxy.peer import Peer
from tests.proxy.relay import SPLICE, TLS_MODES, Mode, eventually, plain_and_tls, three_modes
from tests.proxy.routed import Routed, routed
from tests.tls.certificates import authority, certificate

RATE = 4 << 20
BURST_S = 0.1
DATA = random_bytes(RATE // 2)

BLOCKING = "[{to: 'exec:cat > /dev/null', shell: true, overflow: block, direction: both}]"
tapped_or_not = pytest.mark.parametrize("mirrors", ["[]", "['null:']", BLOCKING])
LISTEN_BY_TLS = f"{{address: '127.0.0.1:0', tls: {certificate()}}}"
BACKEND_BY_TLS = f'{{address: "${{one}}", tls: {{ca: {authority()}, name: localhost}}}}'


def route(bandwidth: str, mirrors: str = "[]", mode: Mode = SPLICE) -> str:
    listen = LISTEN_BY_TLS if "client" in mode.tls else "127.0.0.1:0"
    backend = BACKEND_BY_TLS if "backend" in mode.tls else "${one}"
    lines = f"- listen: {listen}", f"backends: {backend}", f"bandwidth: {bandwidth}"
    splice = "true" if mode.splice else "false"
    return "\n  ".join([*lines, f"mirrors: {mirrors}"]) + f"\nsplice: {splice}"


async def connect(it: Routed, mode: Mode) -> tuple[Peer, Peer]:
    """A client and the backend's end, in the mode that the route is in."""
    client = await it.open_client()
    if "client" in mode.tls:
        await client.speak_tls(server_side=False)
    backend = await it.accept()
    if "backend" in mode.tls:
        await backend.speak_tls(server_side=True)
    return client, backend


async def seconds_for(sender: Peer, receiver: Peer, data: bytes) -> float:
    """How long bytes and their end take; they arrive whole."""
    began_s = trio.current_time()

    async def send() -> None:
        await sender.send(data)
        sender.finish()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        received, end = await receiver.receive_rest()
    assert end == "eof"
    assert_same(received, data)
    return trio.current_time() - began_s


@three_modes
@tapped_or_not
@pytest.mark.parametrize("limit", ["connection", "route"])
async def test_each_direction_takes_its_time(mode: Mode, mirrors: str, limit: str) -> None:
    async with routed(route(f"{{{limit}: 4MiB/s}}", mirrors, mode)) as it:
        client, backend = await connect(it, mode)
        for ends in ((client, backend), (backend, client)):
            assert await seconds_for(*ends, DATA) >= 0.5 - BURST_S - 0.01
        await eventually(lambda: bool(it.events("connection")))
    (line,) = it.events("connection")
    assert line["reason"] == "closed"
    assert line["request_bytes"] == line["response_bytes"] == len(DATA)
    for mirror in line["mirrors"] or []:
        assert mirror["offered_bytes"] == mirror["delivered_bytes"] == len(DATA)


async def test_the_limit_of_a_connection_is_each_ones_own() -> None:
    """A limit for all would hold them up each time; a busy machine does not."""
    took_s: list[float] = []
    async with routed(route("{connection: 1MiB/s}")) as it:
        while not took_s or (took_s[-1] >= 1.2 and len(took_s) < 5):
            ends = [await it.connect() for _ in range(3)]
            began_s = trio.current_time()
            async with trio.open_nursery() as nursery:
                for client, backend in ends:
                    nursery.start_soon(seconds_for, client, backend, DATA[: 1 << 19])
            took_s.append(trio.current_time() - began_s)
    assert min(took_s) < 1.2  # one after the other they would take 1.2 s


async def test_connections_of_a_route_share_alike() -> None:
    async with routed(route("{route: 2MiB/s}")) as it:
        ends = [await it.connect() for _ in range(4)]
        received = [0] * len(ends)

        async def move(number: int, client: Peer, backend: Peer) -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.send, bytes(1 << 24))
                while True:
                    received[number] += len(await backend.receive_some())

        began_s = trio.current_time()
        with trio.move_on_after(1.0):
            async with trio.open_nursery() as nursery:
                for number, (client, backend) in enumerate(ends):
                    nursery.start_soon(move, number, client, backend)
        took_s = trio.current_time() - began_s
        assert sum(received) <= (took_s + BURST_S + 0.1) * (2 << 20)
        assert min(received) >= 0.5 * max(received)


@plain_and_tls
async def test_a_drain_of_one_that_waits(mode: Mode) -> None:
    async with routed(route("{connection: 1KiB/s}", mode=mode)) as it:
        client, backend = await connect(it, mode)
        await client.send(bytes(100_000))
        await backend.receive_some()
        assert await it.proxy.worker.drain_within(0.05) == 1
        _, end = await backend.receive_rest()
        assert end == "reset"


@plain_and_tls
async def test_a_client_that_resets_while_it_is_made_to_wait(mode: Mode) -> None:
    async with routed(route("{connection: 100KiB/s}", mode=mode)) as it:
        client, backend = await connect(it, mode)
        await client.send(DATA[:50_000])
        await backend.receive_some(1)
        client.reset()
        received, end = await backend.receive_rest()
        assert (len(received), end) == (49_999, "reset")
        await closed(it, "client_reset")


@pytest.mark.parametrize("sender", ["client", "backend"])
async def test_a_goodbye_by_tls_that_is_made_to_wait(sender: str) -> None:
    """It is read together with the last bytes, and no FIN comes to tell of it."""
    mode = TLS_MODES["tls-both"]
    async with routed(route("{connection: 1MiB/s}", mode=mode)) as it:
        client, backend = await connect(it, mode)
        speaker, listener = (client, backend) if sender == "client" else (backend, client)
        for size in (200_000, 100_000, 50_000):
            await speaker.send(DATA[:size])
            if size == 50_000:
                speaker.finish_tls()
            assert await listener.receive_exactly(size) == DATA[:size]
        assert await listener.receive_rest() == (b"", "eof")
        listener.finish()
        await closed(it, "closed")


async def closed(it: Routed, reason: str) -> None:
    await eventually(lambda: bool(it.events("connection")))
    assert it.events("connection")[0]["reason"] == reason


@pytest.mark.parametrize(
    ("timeouts", "reason"),
    [("{lifetime: 200ms}", "lifetime_timeout"), ("{half_closed: 200ms}", "half_closed_timeout")],
)
async def test_the_limits_of_a_connections_life(timeouts: str, reason: str) -> None:
    text = f"- listen: 127.0.0.1:0\n  backends: ${{one}}\n  timeouts: {timeouts}"
    async with routed(text) as it:
        client, backend = await it.connect()
        client.finish()
        assert await backend.receive_rest() == (b"", "eof")
        await it.turns_away(client)
        await closed(it, reason)
