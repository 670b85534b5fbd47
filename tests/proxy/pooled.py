"""A proxy before several backends that a test plays."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import trio
from structlog.testing import capture_logs
from structlog.typing import EventDict

from spliceproxy.serving import Proxy, serve
from spliceproxy.settings.address import TcpAddress
from spliceproxy.settings.backend import BackendSettings
from spliceproxy.settings.listen import ListenSettings
from spliceproxy.settings.proxy import RouteSettings, Settings
from spliceproxy.settings.tls import TlsDial, TlsListen
from spliceproxy.upstream.backend import Backend
from tests.ports import free_port
from tests.proxy.bookkeeping import check_bookkeeping
from tests.proxy.peer import Acceptor, Peer, open_peer
from tests.proxy.relay import SPLICE, Mode, eventually
from tests.streams import KERNEL_CHOICE
from tests.tls.certificates import authority, certificate

ANY_PORT = TcpAddress("127.0.0.1", 0)


class Player:
    """Accepts for one of the backends, until it is stopped."""

    def __init__(
        self, number: int, inbox: trio.MemorySendChannel[tuple[int, Peer]], port: int | None = None
    ) -> None:
        self.port = free_port() if port is None else port
        self.acceptor = Acceptor(("127.0.0.1", self.port), KERNEL_CHOICE, 64)
        self._number = number
        self._inbox = inbox

    async def accept(self) -> None:
        with suppress(trio.ClosedResourceError):
            while self.acceptor.sock.fileno() >= 0:
                try:
                    peer = await self.acceptor.accept()
                except OSError:
                    if self.acceptor.sock.fileno() >= 0:
                        raise
                    return  # stopped just when somebody came
                await self._inbox.send((self._number, peer))

    def stop(self) -> None:
        """Refuse from now on."""
        trio.lowlevel.notify_closing(self.acceptor.sock)
        self.acceptor.close()

    def again(self) -> "Player":
        """Another one at the same port."""
        return Player(self._number, self._inbox, self.port)


@dataclass
class Pooled:
    """A serving proxy; each client that gets through is told by which backend."""

    proxy: Proxy
    players: "list[Player]"
    log: list[EventDict]
    arrivals: trio.MemoryReceiveChannel[tuple[int, Peer]]
    nursery: trio.Nursery
    peers: list[Peer]
    tls: tuple[str, ...] = ()
    """With which of its peers the proxy speaks TLS."""

    @property
    def backends(self) -> list[Backend]:
        """As the proxy knows them."""
        return self.proxy.worker.opener.pools[0].backends

    def stop(self, number: int) -> None:
        """Let a backend refuse."""
        self.players[number].stop()

    def start_again(self, number: int) -> None:
        """Let a backend that was stopped accept."""
        self.players[number] = self.players[number].again()
        self.nursery.start_soon(self.players[number].accept)

    async def open_client(self, source: str = "127.0.0.1") -> Peer:
        client = await open_peer(self.proxy.addresses[0], KERNEL_CHOICE, source)
        self.peers.append(client)
        if "client" in self.tls:
            await client.speak_tls(server_side=False)
        return client

    async def arrival(self) -> tuple[int, Peer]:
        """The next connection to any of the backends, and the number of that one."""
        number, peer = await self.arrivals.receive()
        self.peers.append(peer)
        if "backend" in self.tls:
            await peer.speak_tls(server_side=True)
        return number, peer

    async def connect(self, source: str = "127.0.0.1") -> tuple[int, Peer, Peer]:
        """A backend's number, the client, and the backend's end of its connection."""
        client = await self.open_client(source)
        number, far = await self.arrival()
        return number, client, far

    async def numbers(self, count: int) -> list[int]:
        """Which backends get so many connections, which stay open."""
        return [(await self.connect())[0] for _ in range(count)]

    def told(self, event: str) -> int:
        """How often something has happened, by all log lines of that name."""
        return sum(line["count"] for line in self.events(event))

    def events(self, event: str) -> list[EventDict]:
        return [line for line in self.log if line["event"] == event]

    async def ended(self, count: int = 1) -> EventDict:
        """The log line of the nth connection to end."""
        await eventually(lambda: len(self.events("connection")) >= count)
        return self.events("connection")[count - 1]


@asynccontextmanager
async def pooled(
    *backends: dict[str, Any], mode: Mode = SPLICE, **route: Any
) -> AsyncIterator[Pooled]:
    """Serve a route with backends of these settings, and check that all is given back."""
    inbox, arrivals = trio.open_memory_channel[tuple[int, Peer]](100)
    players = [Player(number, inbox) for number in range(len(backends))]
    server = TlsListen(certificate=certificate()) if "client" in mode.tls else None
    dial = TlsDial(ca=authority(), name="localhost") if "backend" in mode.tls else None
    entries = tuple(
        BackendSettings(address=TcpAddress("127.0.0.1", player.port), **{"tls": dial, **backend})
        for player, backend in zip(players, backends, strict=True)
    )
    listen = (ListenSettings(address=ANY_PORT, tls=server),)
    settings = RouteSettings(listen=listen, backends=entries, **route)
    peers: list[Peer] = []
    try:
        with capture_logs() as log, trio.fail_after(30):
            proxied = Settings(workers=1, splice=mode.splice, routes=(settings,))
            async with serve(proxied) as proxy:
                async with trio.open_nursery() as nursery:
                    relay = Pooled(proxy, players, log, arrivals, nursery, peers, mode.tls)
                    for player in players:
                        nursery.start_soon(player.accept)
                    yield relay
                    nursery.cancel_scope.cancel()
                check_bookkeeping(proxy.worker)
                close_all(players, peers, arrivals)
                await eventually(lambda: not proxy.worker.sessions)
                pool = proxy.worker.opener.pools[0]
                assert [backend.state.active for backend in pool.backends] == [0] * len(backends)
                assert not pool.queue.waiting
    finally:
        close_all(players, peers, arrivals)


def close_all(
    players: list[Player],
    peers: list[Peer],
    arrivals: trio.MemoryReceiveChannel[tuple[int, Peer]],
) -> None:
    """Close what is open, and what nobody has asked for."""
    for player in players:
        player.acceptor.close()
    with suppress(trio.WouldBlock):
        while True:
            peers.append(arrivals.receive_nowait()[1])
    for peer in peers:
        peer.close()
