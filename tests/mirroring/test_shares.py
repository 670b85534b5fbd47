"""A mirror or a client that needs much memory leaves the others theirs."""

import socket
from contextlib import closing
from pathlib import Path

import pytest
import trio
from structlog.testing import capture_logs

from spliceproxy.observe.status import WorkerStatus
from spliceproxy.serving import serve
from spliceproxy.settings.proxy import Settings
from spliceproxy.sinks.mirrors import TAP_PIPES
from tests.mirroring.bad_mirrors import reader
from tests.mirroring.mirrored import LOCALHOST, Mirrored, check_accounts, mirrored
from tests.mirroring.test_routes import route
from tests.proxy.judge import exchange
from tests.proxy.payload import random_bytes
from tests.proxy.peer import Acceptor, Peer
from tests.proxy.relay import eventually
from tests.streams import KERNEL_CHOICE

MIB = 1 << 20
BUDGET_BYTES = 16 * MIB
SHARE_BYTES = MIB // 2
HOG, SECOND, THIRD = "127.3.0.1", "127.3.0.2", "127.3.0.3"
DATA = random_bytes(6 * MIB)

pytestmark = pytest.mark.usefixtures("small_mirror_sockets")


class Clients:
    """Connections from addresses that a test says; they stay open until they are closed."""

    def __init__(self, acceptor: Acceptor) -> None:
        self._acceptor = acceptor
        self._peers: list[Peer] = []

    async def send(self, client: str, address: str | tuple[str, int], data: bytes) -> None:
        """Have a client send something in a connection of its own."""
        assert isinstance(address, tuple)
        peer = Peer(socket.create_connection(address, 5, (client, 0)))
        backend = await self._acceptor.accept()
        self._peers += [peer, backend]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.send, data)
            assert await backend.receive_exactly(len(data)) == data

    def finish(self) -> None:
        for peer in self._peers:
            peer.finish()

    def close(self) -> None:
        for peer in self._peers:
            peer.close()
        self._acceptor.close()


async def test_a_hog_leaves_other_mirrors_and_other_clients_their_share(tmp_path: Path) -> None:
    """One client fills what it can by a mirror that reads nothing, with some connections."""
    acceptor = Acceptor((LOCALHOST, 0), KERNEL_CHOICE, 16)
    port = int(acceptor.address[1])
    clients = Clients(acceptor)
    (tmp_path / "audit").mkdir()
    with trio.fail_after(60), capture_logs() as log, closing(clients):
        async with reader("tcp", tmp_path) as bad:
            routes = (
                route("hogged", port, bad.text, max_connections=16),
                route("audited", port, f"file:{tmp_path}/audit?direction=request"),
            )
            settings = Settings(workers=1, routes=routes, mirror_budget_bytes=BUDGET_BYTES)
            async with serve(settings) as proxy:
                hogged, audited = proxy.addresses
                for _ in range(4):
                    await clients.send(HOG, hogged, DATA)
                await clients.send(SECOND, hogged, DATA[:SHARE_BYTES])
                await clients.send(THIRD, hogged, DATA[:SHARE_BYTES])
                mirrors = proxy.worker.mirrors
                assert mirrors is not None
                assert BUDGET_BYTES // 4 < mirrors.budget.used_bytes <= BUDGET_BYTES
                assert [mirror.share.clients for mirror in mirrors.mirrors] == [3, 0]
                await clients.send(HOG, audited, DATA[: 2 * MIB])
                clients.finish()
                for _ in range(4):
                    (await bad.accept()).reset()
                for _ in (SECOND, THIRD):
                    peer = await bad.accept()
                    assert await peer.receive_rest() == (DATA[:SHARE_BYTES], "eof")
                    peer.close()
                await eventually(lambda: not proxy.worker.sessions and not proxy.worker.mirroring)
                assert mirrors.budget.used_bytes == 0
                assert [mirror.share.clients for mirror in mirrors.mirrors] == [0, 0]
    lines = [line for line in log if line["event"] == "connection"]
    check_accounts(lines)
    reasons = [line["mirrors"][0]["reason"] for line in lines if line["route"] == "hogged"]
    assert "budget_full" in reasons
    [audit] = [line["mirrors"][0] for line in lines if line["route"] == "audited"]
    assert (audit["state"], audit["delivered_bytes"]) == ("complete", 2 * MIB)


def the_worker(proxied: Mirrored) -> WorkerStatus:
    """What the worker tells of itself, once a second."""
    [worker] = proxied.proxy.status().workers
    return worker


async def test_by_default_a_stream_may_lag_as_far_as_there_is_memory(tmp_path: Path) -> None:
    data = random_bytes(20 * MIB)
    with trio.fail_after(60):
        async with (
            reader("tcp", tmp_path) as held,
            mirrored(held.text, mirror_budget_bytes=64 * MIB) as proxied,
        ):
            connection = await proxied.connect()
            peer = await held.accept()
            await exchange(connection, data, b"", seed=1, largest=1_000_000)
            assert proxied.mirrors.budget.used_bytes > 16 * MIB
            await eventually(lambda: the_worker(proxied).mirror_held_bytes > 16 * MIB)
            worker = the_worker(proxied)
            assert worker.mirror_budget_bytes == 64 * MIB
            assert 0 < worker.mirror_pipes_in_use <= TAP_PIPES
            assert worker.mirror_pipes_bytes > worker.mirror_pipes_in_use << 16
            received, end = await peer.receive_rest()
            peer.close()
            assert (received == data, end) == (True, "eof")
            assert (await proxied.account())["state"] == "complete"


async def test_a_maximum_of_its_own_holds_where_it_is_set(tmp_path: Path) -> None:
    with trio.fail_after(60):
        async with (
            reader("tcp", tmp_path) as held,
            mirrored(f"{held.text}?buffer=1MiB", mirror_budget_bytes=64 * MIB) as proxied,
        ):
            connection = await proxied.connect()
            await held.accept()
            await exchange(connection, DATA, b"", seed=1, largest=300_000)
            assert proxied.mirrors.budget.used_bytes <= MIB
            assert (await proxied.account())["reason"] == "buffer_full"
