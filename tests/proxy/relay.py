"""A proxy between peers that a test plays, and the checks that hold whenever one is done."""

import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import pytest
import trio
from structlog.testing import capture_logs
from structlog.typing import EventDict

from spliceproxy.kernel.pipes import PipeStatistics
from spliceproxy.proxy.worker import Worker
from spliceproxy.serving import Proxy, serve
from spliceproxy.settings.address import Address, TcpAddress, UnixAddress
from spliceproxy.settings.single_route import single_route
from spliceproxy.settings.tls_texts import TlsBackend
from tests.descriptors import open_descriptors
from tests.proxy.bookkeeping import check_bookkeeping, epoll_interest, listening_descriptors
from tests.proxy.counters import check_counters
from tests.proxy.peer import Acceptor, Peer, open_peer
from tests.streams import KERNEL_CHOICE, Buffers
from tests.tls.certificates import authority, certificate

PATIENCE_S = 20.0

Transport = Literal["tcp", "unix"]


class Mode(NamedTuple):
    """How a connection is relayed, and with whom TLS is spoken."""

    splice: bool = True
    tls: tuple[str, ...] = ()

    @property
    def splices(self) -> bool:
        """Whether bytes are spliced: what is encrypted or decrypted is copied."""
        return self.splice and not self.tls

    @property
    def certificate(self) -> str | None:
        """The file that the proxy shows its clients, if it does."""
        return certificate() if "client" in self.tls else None

    def backend(self, address: Address) -> Address | TlsBackend:
        """How the proxy is told to reach a backend."""
        trust = {"ca": authority(), "name": "localhost"}
        return TlsBackend(address, trust) if "backend" in self.tls else address


SPLICE, COPY = Mode(), Mode(splice=False)
TLS_MODES = {
    "tls": Mode(tls=("client",)),
    "tls-backend": Mode(tls=("backend",)),
    "tls-both": Mode(tls=("client", "backend")),
}
all_modes = pytest.mark.parametrize(
    "mode", [SPLICE, COPY, *TLS_MODES.values()], ids=["splice", "copy", *TLS_MODES]
)
three_modes = pytest.mark.parametrize(
    "mode", [SPLICE, COPY, TLS_MODES["tls-both"]], ids=["splice", "copy", "tls-both"]
)
"""Where each side plays each part, so that TLS with both is TLS with either."""
plain_and_tls = pytest.mark.parametrize(
    "mode", [SPLICE, TLS_MODES["tls-both"]], ids=["plain", "tls-both"]
)
"""Where nothing is relayed that could be spliced or copied."""
both_modes = pytest.mark.parametrize("splice", [True, False], ids=["splice", "copy"])
both_transports = pytest.mark.parametrize("transport", ["tcp", "unix"])


@dataclass(frozen=True)
class Connection:
    """A client, and the backend's end of the same connection."""

    client: Peer
    backend: Peer

    def ends(self, sender: str) -> tuple[Peer, Peer]:
        """Both peers, the one of that name first."""
        return (self.client, self.backend) if sender == "client" else (self.backend, self.client)


@dataclass
class Relay:
    """A serving proxy with one backend."""

    proxy: Proxy
    acceptor: Acceptor
    log: list[EventDict]
    buffers: Buffers
    peers: list[Peer] = field(default_factory=list)
    tls: tuple[str, ...] = ()
    """With which of its peers the proxy speaks TLS."""

    @property
    def worker(self) -> Worker:
        return self.proxy.worker

    async def open_client_untouched(self) -> Peer:
        """A client that has not said a word yet."""
        client = await open_peer(self.proxy.addresses[0], self.buffers)
        self.peers.append(client)
        return client

    async def open_client(self) -> Peer:
        client = await self.open_client_untouched()
        if "client" in self.tls:
            await client.speak_tls(server_side=False)
        return client

    async def accept(self) -> Peer:
        backend = await self.acceptor.accept()
        self.peers.append(backend)
        if "backend" in self.tls:
            await backend.speak_tls(server_side=True)
        return backend

    async def connect(self) -> Connection:
        client = await self.open_client()
        return Connection(client, await self.accept())

    def events(self, event: str) -> list[EventDict]:
        """Log lines of that name."""
        return [line for line in self.log if line["event"] == event]

    def told(self, event: str) -> int:
        """How often something has happened, by all log lines of that name."""
        return sum(line["count"] for line in self.events(event))

    async def line(self, number: int = 1) -> EventDict:
        """The log line of the nth connection to end."""
        await eventually(lambda: len(self.events("connection")) >= number)
        return self.events("connection")[number - 1]

    async def settled(self) -> None:
        """Wait until no connection is left."""
        await eventually(lambda: not self.worker.sessions)


async def eventually(holds: Callable[[], bool]) -> None:
    """Wait for something that no event tells."""
    with trio.fail_after(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - what is waited for knows nothing of the test
            await trio.sleep(0.002)


@asynccontextmanager
async def relay(
    *,
    splice: bool = True,
    mode: Mode | None = None,
    transport: Transport = "tcp",
    buffers: Buffers = KERNEL_CHOICE,
    backends: Callable[[Address], tuple[Address, ...]] = lambda own: (own,),
    accept_backlog: int = 1024,
    **limits: Any,
) -> AsyncIterator[Relay]:
    """Serve, and check afterwards that nothing of any connection is left.

    ``backends`` may put others before or behind the backend that the test plays.
    """
    before = open_descriptors()
    with _addresses(transport) as (listen, backend), capture_logs() as log:
        own = backend.path if isinstance(backend, UnixAddress) else ("127.0.0.1", 0)
        acceptor = Acceptor(own, buffers, accept_backlog)
        if not isinstance(acceptor.address, str):
            backend = TcpAddress("127.0.0.1", acceptor.address[1])
        mode = Mode(splice) if mode is None else mode
        settings = single_route(
            (listen,),
            tuple(map(mode.backend, backends(backend))),
            workers=1,
            splice=mode.splice,
            tls_certificate=mode.certificate,
            **limits,
        )
        peers: list[Peer] = []
        try:
            async with serve(settings) as proxy:
                relay = Relay(proxy, acceptor, log, buffers, peers, mode.tls)
                yield relay
                check_bookkeeping(proxy.worker)
                for peer in peers:
                    peer.close()
                await relay.settled()
                check_bookkeeping(proxy.worker)
                registered = set(epoll_interest(proxy.worker.reactor))
                assert registered <= listening_descriptors(proxy.worker)
        finally:
            acceptor.close()
            for peer in peers:
                peer.close()
        assert proxy.worker.pipes.statistics() == PipeStatistics(0, 0, 0)
        if limits.get("log_level", "info") == "info":
            check_counters(proxy.status(), relay.events("connection"))
    assert open_descriptors() == before


@contextmanager
def _addresses(transport: Transport) -> Iterator[tuple[Address, Address]]:
    if transport == "tcp":
        yield TcpAddress("127.0.0.1", 0), TcpAddress("127.0.0.1", 0)
        return
    with tempfile.TemporaryDirectory() as directory:
        yield UnixAddress(f"{directory}/listen"), UnixAddress(f"{directory}/backend")
