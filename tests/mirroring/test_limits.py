"""What all mirrors of a worker may use together, and which connections they get."""

import socket
from pathlib import Path

import pytest
import trio

from spliceproxy.kernel.pipes import FULL_CAPACITY_BYTES
from spliceproxy.sinks.mirrors import TAP_PIPES
from tests.mirroring.bad_mirrors import reader
from tests.mirroring.mirrored import LOCALHOST, mirrored
from tests.proxy.judge import exchange
from tests.proxy.payload import assert_same, random_bytes
from tests.proxy.peer import Peer
from tests.proxy.relay import Mode, eventually, three_modes
from tests.sinks.places import FilePlace

DATA = random_bytes(6_000_000)
MIB = 1 << 20

pytestmark = pytest.mark.usefixtures("small_mirror_sockets")


def resident_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    [line] = [line for line in lines if line.startswith("VmRSS:")]
    return int(line.split()[1]) << 10


@three_modes
@pytest.mark.parametrize("overflow", ["detach", "spill"])
@pytest.mark.usefixtures("impatient")
async def test_memory_and_pipes_stay_within_the_budget(
    mode: Mode, overflow: str, tmp_path: Path
) -> None:
    """Twelve connections of 6 MB each to a mirror that reads nothing, with 8 MiB for all."""
    budget_bytes, connections = 8 * MIB, 12
    most_used = most_pipes = most_pipe_bytes = 0
    sizes: list[int] = []

    with trio.fail_after(40):
        async with (
            reader("tcp", tmp_path) as bad,
            mirrored(
                f"{bad.text}?overflow={overflow}&buffer=2MiB",
                mode=mode,
                mirror_budget_bytes=budget_bytes,
            ) as proxied,
            trio.open_nursery() as nursery,
        ):
            before = resident_bytes()

            async def measure() -> None:
                nonlocal most_used, most_pipes, most_pipe_bytes
                while True:
                    most_used = max(most_used, proxied.mirrors.budget.used_bytes)
                    most_pipes = max(most_pipes, proxied.pipes_in_use)
                    pool = proxied.mirrors.pipes.pool.statistics()
                    most_pipe_bytes = max(most_pipe_bytes, pool.capacity_bytes)
                    sizes.append(resident_bytes())
                    await trio.sleep(0.001)

            nursery.start_soon(measure)
            async with trio.open_nursery() as traffic:
                for _ in range(connections):
                    connection = await proxied.connect()
                    traffic.start_soon(exchange_all, connection.client, connection.backend)
            nursery.cancel_scope.cancel()
    # A chunk that was accepted for one branch may be one bufferful too many for the next one.
    assert 0 < most_used <= budget_bytes
    assert most_pipes < TAP_PIPES
    assert most_pipe_bytes <= TAP_PIPES * FULL_CAPACITY_BYTES
    # Pipes are not resident; the allocator, the peers' buffers and the spool's reads are.
    assert max(sizes) - before < 64 * MIB


async def exchange_all(client: Peer, backend: Peer) -> None:
    async with trio.open_nursery() as nursery:

        async def send() -> None:
            await client.send(DATA)
            client.finish()

        nursery.start_soon(send)
        received = 0
        while chunk := await backend.receive_some():
            received += len(chunk)
        assert received == len(DATA)
        backend.finish()


@three_modes
async def test_small_messages_do_not_use_a_mirror_up(mode: Mode, tmp_path: Path) -> None:
    """A mirror that is held up has room for a buffer's worth of them, and needs no pipe."""
    messages, size = 20_000, 100
    with trio.fail_after(40):
        async with (
            reader("tcp", tmp_path) as held,
            mirrored(f"{held.text}?buffer=2MiB", mode=mode) as proxied,
        ):
            connection = await proxied.connect()
            peer = await held.accept()
            data = random_bytes(messages * size)
            for start in range(0, len(data), 50 * size):
                for at in range(start, start + 50 * size, size):
                    await connection.client.send(data[at : at + size])
                received = await connection.backend.receive_exactly(50 * size)
                assert received == data[start : start + 50 * size]
                assert proxied.pipes_in_use == 0
            connection.client.finish()
            connection.backend.finish()
            copy, end = await peer.receive_rest()
            peer.close()
            assert_same(copy, data)
            assert end == "eof"
            assert (await proxied.account())["state"] == "complete"


async def test_streams_beyond_the_limit_go_without_a_mirror(tmp_path: Path) -> None:
    with trio.fail_after(30):
        async with (
            reader("tcp", tmp_path) as stuck,
            mirrored(f"{stuck.text}?buffer=8MiB", max_connections=2) as proxied,
        ):
            for number in range(2):  # over, but for their mirrors
                connection = await proxied.connect()
                await stuck.accept()
                await exchange(connection, DATA[:2_000_000], b"", seed=1, largest=200_000)
                await eventually(lambda n=number: len(proxied.worker.mirroring) == n + 1)  # type: ignore[misc]
            third = await proxied.connect()
            request, _ = await exchange(third, b"no room", b"", seed=1)
            assert request.received == b"no room"
            line = await proxied.line(1)
            assert line["mirrors"][0]["reason"] == "too_many_streams"
            for peer in stuck.peers:
                peer.reset()
            await proxied.line(3)
            # There is room again.
            fourth = await proxied.connect()
            peer = await stuck.accept()
            await exchange(fourth, b"again", b"", seed=1)
            assert (await peer.receive_rest())[0] == b"again"
            peer.close()


@pytest.mark.parametrize("limit", [1, 2])
async def test_a_limit_on_connections_leaves_each_its_mirrors(limit: int, tmp_path: Path) -> None:
    place = FilePlace(tmp_path)
    async with mirrored(place.text, "null:", max_connections=limit) as proxied:
        connection = await proxied.connect()
        await exchange(connection, b"question", b"answer", seed=1)
        line = await proxied.line()
    assert {account["state"] for account in line["mirrors"]} == {"complete"}
    assert place.stream("request") == b"question"


async def test_sampling_takes_clients_whole_and_nests(tmp_path: Path) -> None:
    clients = [f"127.3.{number}.7" for number in range(60)]
    seen: dict[str, set[str]] = {sample: set() for sample in ("0%", "20%", "60%", "100%")}
    texts = []
    for sample in seen:
        directory = tmp_path / sample.rstrip("%")
        directory.mkdir()
        texts.append(f"file:{directory}?sample={sample}&direction=request")
    with trio.fail_after(40):
        async with mirrored(*texts) as proxied:
            for client in clients * 2:
                peer = Peer(socket.create_connection(proxied.proxy.addresses[0], 5, (client, 0)))  # type: ignore[arg-type]
                proxied.peers.append(peer)
                backend = await proxied.accept()
                await peer.send(client.encode())
                peer.finish()
                await backend.receive_rest()
                backend.finish()
            await proxied.settled()
            lines = proxied.events("connection")
    for sample in seen:
        streams = list((tmp_path / sample.rstrip("%")).glob("*/*-request"))
        got = [stream.read_text() for stream in streams]
        seen[sample] = set(got)
        assert sorted(got) == sorted([*seen[sample]] * 2)
    assert seen["0%"] == set()
    assert seen["100%"] == set(clients)
    assert set() < seen["20%"] < seen["60%"] < seen["100%"]
    assert len(lines) == 2 * len(clients)
    assert LOCALHOST not in seen["100%"]
