"""A worker that dies ends its streams in resets: nobody takes half an answer for a whole one."""

import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.descriptors import open_descriptors
from tests.proxy.payload import assert_prefix, random_bytes
from tests.proxy.peer import Acceptor, Peer, open_peer
from tests.proxy.relay import Connection, eventually
from tests.streams import KERNEL_CHOICE, Buffers
from tests.tls.certificates import authority, certificate

modes_to_kill = pytest.mark.parametrize("mode", ["splice", "copy", "tls"])

PROJECT = Path(__file__).parents[2]


class Victim:
    """A proxy in another process."""

    def __init__(
        self, process: trio.Process, port: int, acceptor: Acceptor, *, by_tls: bool
    ) -> None:
        self.process = process
        self._by_tls = by_tls
        self._port = port
        self._acceptor = acceptor
        self.peers: list[Peer] = []

    async def connect(self, buffers: Buffers = KERNEL_CHOICE) -> Connection:
        client = await open_peer(("127.0.0.1", self._port), buffers)
        self.peers.append(client)
        if self._by_tls:
            await client.speak_tls(server_side=False)
        backend = await self._acceptor.accept()
        self.peers.append(backend)
        if self._by_tls:
            await backend.speak_tls(server_side=True)
        return Connection(client, backend)

    def open_sockets(self) -> int:
        kinds = open_descriptors(self.process.pid).values()
        return sum(kind.startswith("socket:") for kind in kinds)

    async def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()


@asynccontextmanager
async def proxy_to_kill(mode: str) -> AsyncIterator[Victim]:
    acceptor = Acceptor(("127.0.0.1", 0), KERNEL_CHOICE, 16)
    arguments = [str(acceptor.address[1]), mode, certificate(), authority()]
    process = await trio.lowlevel.open_process(
        [sys.executable, "-m", "tests.proxy.serving_process", *arguments],
        stdout=-1,
        cwd=PROJECT,
    )
    assert process.stdout is not None
    port = int(await process.stdout.receive_some())
    victim = Victim(process, port, acceptor, by_tls=mode == "tls")
    try:
        yield victim
    finally:
        process.kill()
        await process.wait()
        await process.stdout.aclose()
        acceptor.close()
        for peer in victim.peers:
            peer.close()


@pytest.mark.slow
@modes_to_kill
async def test_both_peers_see_a_reset_in_the_middle_of_their_streams(mode: str) -> None:
    data = random_bytes(64 << 20)
    with trio.fail_after(30):
        async with proxy_to_kill(mode) as victim:
            connection = await victim.connect()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send_until_reset, connection.client, data)
                nursery.start_soon(send_until_reset, connection.backend, data)
                request = await connection.backend.receive_exactly(1 << 20)
                response = await connection.client.receive_exactly(1 << 20)
                await victim.kill()
                more_request, request_end = await connection.backend.receive_rest()
                more_response, response_end = await connection.client.receive_rest()
            assert (request_end, response_end) == ("reset", "reset")
            assert_prefix(request + more_request, data)
            assert_prefix(response + more_response, data)


async def send_until_reset(peer: Peer, data: bytes) -> None:
    with pytest.raises(ConnectionError):
        await peer.send(data)


@pytest.mark.slow
@modes_to_kill
async def test_a_connection_that_waits_for_an_answer_is_reset(mode: str) -> None:
    with trio.fail_after(30):
        async with proxy_to_kill(mode) as victim:
            connection = await victim.connect()
            await connection.client.send(b"question")
            connection.client.finish()
            assert await connection.backend.receive_rest() == (b"question", "eof")
            await connection.backend.send(b"half an answ")
            assert await connection.client.receive_exactly(12) == b"half an answ"
            await victim.kill()
            assert await connection.client.receive_rest() == (b"", "reset")


@pytest.mark.slow
@modes_to_kill
async def test_a_connection_that_had_ended_stays_whole(mode: str) -> None:
    """The last bytes and the end wait in the kernel, which delivers them after the death, too."""
    data = random_bytes(100_000)
    with trio.fail_after(30):
        async with proxy_to_kill(mode) as victim:
            before = victim.open_sockets()
            connection = await victim.connect(Buffers(receive_bytes=4096))
            connection.client.finish()
            assert await connection.backend.receive_rest() == (b"", "eof")
            await connection.backend.send(data)
            connection.backend.finish()
            await eventually(lambda: victim.open_sockets() == before)
            await victim.kill()
            assert await connection.client.receive_rest() == (data, "eof")
