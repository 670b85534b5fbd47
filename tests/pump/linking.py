"""A link between two TCP connections whose far ends a test plays."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from spliceproxy.kernel.pipes import PipePool
from spliceproxy.loop.reactor import Reactor
from spliceproxy.proxy.ending import reason_of
from spliceproxy.pump.copy_flow import CopyFlow
from spliceproxy.pump.endpoint import Endpoint, EndpointMaker
from spliceproxy.pump.flow import FlowMaker
from spliceproxy.pump.link import Link
from spliceproxy.pump.splice_flow import SpliceFlow
from spliceproxy.settings.timeouts import Timeouts
from tests.loop.watching import eventually, running_reactor
from tests.streams import KERNEL_CHOICE, Buffers, tcp_pair


@dataclass
class Owner:
    """Keeps what it is told."""

    ended: list[str] = field(default_factory=list)
    crashes: list[Exception] = field(default_factory=list)
    refusals: list[OSError] = field(default_factory=list)

    def link_ended(self, link: Link) -> None:
        self.ended.append(reason_of(link))

    def link_crashed(self, error: Exception) -> None:
        self.crashes.append(error)

    def splice_refused(self, cause: OSError) -> None:
        self.refusals.append(cause)


@dataclass
class Linked:
    """The link, and the far ends of its two connections."""

    link: Link
    reactor: Reactor
    owner: Owner
    client: socket.socket
    backend: socket.socket
    near: tuple[socket.socket, socket.socket]
    pool: PipePool

    async def reason(self) -> str:
        """How the link ended, once it has."""
        await eventually(lambda: bool(self.owner.ended))
        return self.owner.ended[0]


@asynccontextmanager
async def linked(
    *,
    splice: bool = True,
    idle_timeout_s: float = 60.0,
    half_closed_timeout_s: float | None = None,
    lifetime_s: float | None = None,
    buffers: Buffers = KERNEL_CHOICE,
    endpoints: Callable[[Reactor], EndpointMaker] = lambda reactor: Endpoint,
) -> AsyncIterator[Linked]:
    """Relay between two connections; afterwards the link has ended once and holds nothing."""
    client, near_client = tcp_pair(buffers)
    backend, near_backend = tcp_pair(buffers)
    pool = PipePool()
    make: FlowMaker = partial(SpliceFlow, pool) if splice else CopyFlow
    owner = Owner()
    with client, backend, near_client, near_backend:
        async with running_reactor() as reactor:
            timeouts = Timeouts(
                idle_s=idle_timeout_s, half_closed_s=half_closed_timeout_s, lifetime_s=lifetime_s
            )
            ends = [endpoints(reactor), endpoints(reactor)]
            link = Link(reactor, owner, near_client, near_backend, make, make, timeouts, *ends)
            link.start(client_registered=False)
            near = near_client, near_backend
            yield Linked(link, reactor, owner, client, backend, near, pool)
            link.close("test_is_over")
            assert len(owner.ended) == 1
            assert pool.statistics().in_use == 0
    pool.close()


async def receive(sock: socket.socket, count: int) -> bytes:
    """So many bytes, or what comes before the end."""
    received = b""

    def read() -> bool:
        nonlocal received
        try:
            chunk = sock.recv(count - len(received))
        except BlockingIOError:
            return False
        received += chunk
        return not chunk or len(received) == count

    await eventually(read)
    return received
