"""A proxy with the routes of a file, between peers that a test plays."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio
from structlog.testing import capture_logs
from structlog.typing import EventDict

from spliceproxy.kernel.pipes import PipeStatistics
from spliceproxy.observe.status import RouteStatus
from spliceproxy.serving import Proxy, serve
from tests.descriptors import open_descriptors
from tests.proxy.bookkeeping import check_bookkeeping, epoll_interest, listening_descriptors
from tests.proxy.counters import check_counters
from tests.proxy.peer import Acceptor, Peer, open_peer
from tests.proxy.relay import eventually
from tests.routes_file.reading import settings_of
from tests.streams import KERNEL_CHOICE

BACKENDS = ("one", "two", "three")
SETTLED = "workers: 1\nroutes:\n"


@dataclass
class Routed:
    """A serving proxy, and a backend for each of the names."""

    proxy: Proxy
    acceptors: dict[str, Acceptor]
    log: list[EventDict]
    peers: list[Peer] = field(default_factory=list)
    expected_crashes: int = 0

    async def open_client(self, source: str | None = None, listener: int = 0) -> Peer:
        client = await open_peer(self.proxy.addresses[listener], KERNEL_CHOICE, source)
        self.peers.append(client)
        return client

    async def accept(self, name: str = "one") -> Peer:
        """The next connection to a backend."""
        peer = await self.acceptors[name].accept()
        self.peers.append(peer)
        return peer

    async def connect(self, source: str | None = None) -> tuple[Peer, Peer]:
        client = await self.open_client(source)
        return client, await self.accept()

    async def turns_away(self, client: Peer) -> None:
        """Wait until the proxy has reset a client."""
        _, end = await client.receive_rest()
        assert end == "reset"

    def events(self, event: str) -> list[EventDict]:
        return [line for line in self.log if line["event"] == event]

    def route(self, number: int = 0) -> RouteStatus:
        return self.proxy.status().routes[number]

    async def refused(self, reason: str, count: int = 1) -> None:
        """Wait until so many clients of the first route were refused for that reason, no others."""
        await eventually(lambda: sum(self.route().refused.values()) >= count)
        assert self.route().refused == {reason: count}

    @property
    def taken(self) -> int:
        """Places of the first route that are taken."""
        return self.proxy.worker._frontends[0]._taken


@asynccontextmanager
async def routed(routes: str) -> AsyncIterator[Routed]:
    """Serve the routes; their backends are ${one}, ${two} and ${three}. Nothing may be left."""
    before = open_descriptors()
    acceptors = {name: Acceptor(("127.0.0.1", 0), KERNEL_CHOICE, 64) for name in BACKENDS}
    places = {name: f"127.0.0.1:{each.address[1]}" for name, each in acceptors.items()}
    peers: list[Peer] = []
    try:
        with capture_logs() as log, trio.fail_after(30):
            async with serve(settings_of(SETTLED + routes, places)) as proxy:
                it = Routed(proxy, acceptors, log, peers)
                yield it
                check_bookkeeping(proxy.worker)
                close_all(peers, acceptors)
                worker = proxy.worker
                await eventually(lambda: not any(each._taken for each in worker._frontends))
                await eventually(lambda: not worker.sessions)
                check_bookkeeping(worker)
                if worker.mirrors is None:  # its threads have an eventfd there
                    assert set(epoll_interest(worker.reactor)) <= listening_descriptors(worker)
    finally:
        close_all(peers, acceptors)
    assert proxy.worker.pipes.statistics() == PipeStatistics(0, 0, 0)
    assert len(it.events("internal_error")) == it.expected_crashes
    check_counters(proxy.status(), [line for line in log if line["event"] == "connection"])
    assert open_descriptors() == before


def close_all(peers: list[Peer], acceptors: dict[str, Acceptor]) -> None:
    """Close what is open, and reset who was not accepted."""
    for peer in peers:
        peer.close()
    for acceptor in acceptors.values():
        acceptor.close()
