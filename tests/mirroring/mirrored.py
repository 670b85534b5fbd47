"""A proxy with mirrors between peers that a test plays, and what holds whenever one is done."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from structlog.testing import capture_logs
from structlog.typing import EventDict

from spliceproxy.kernel.pipes import PipeStatistics
from spliceproxy.serving import serve
from spliceproxy.settings.address import TcpAddress
from spliceproxy.settings.mirror import MirrorSettings, parse_mirror
from spliceproxy.settings.single_route import single_route
from spliceproxy.sinks.mirrors import Mirrors
from tests.proxy.bookkeeping import epoll_interest, listening_descriptors
from tests.proxy.peer import Acceptor, Peer
from tests.proxy.relay import Mode, Relay, eventually
from tests.streams import KERNEL_CHOICE, Buffers

LOCALHOST = "127.0.0.1"


class Mirrored(Relay):
    """A serving proxy with one backend and some mirrors."""

    keeps_commands = False
    """A command of the route's outlives connections."""

    @property
    def mirrors(self) -> Mirrors:
        assert self.worker.mirrors is not None
        return self.worker.mirrors

    @property
    def pipes_in_use(self) -> int:
        """How many pipes are on their way to mirrors."""
        return self.mirrors.pipes.statistics().in_use

    async def settled(self) -> None:
        """Wait until no connection is left, and no copy on its way."""
        await eventually(lambda: not self.worker.sessions and not self.worker.mirroring)

    async def account(self, number: int = 1, *, of: str = "", direction: str = "") -> EventDict:
        """What became of the copies of the nth connection to end, in the only place like that."""
        line = await self.line(number)
        found = [
            account
            for account in line["mirrors"]
            if account["to"].startswith(of) and account["direction"].startswith(direction)
        ]
        assert len(found) == 1
        account: EventDict = found[0]
        return account


def check_accounts(lines: Iterable[EventDict]) -> None:
    """Of every connection and mirror, each byte is delivered or dropped."""
    for line in lines:
        for account in line["mirrors"] or ():
            accounted = account["delivered_bytes"] + account["dropped_bytes"]
            assert account["offered_bytes"] == accounted
            assert account["queued_bytes"] == 0
            assert account["state"] == ("incomplete" if account["reason"] else "complete")
            assert not account["dropped_bytes"] or account["reason"]


def check_totals(proxied: Mirrored) -> None:
    """The counters of the mirrors that a route is configured with are sums over connections."""
    accounts = [
        account
        for line in proxied.events("connection")
        for account in line["mirrors"] or ()
        if "offset" not in account
    ]
    mirrors = [mirror for route in proxied.proxy.status().routes for mirror in route.mirrors]
    for key in ("offered_bytes", "delivered_bytes", "dropped_bytes"):
        counted = sum(getattr(mirror, key) for mirror in mirrors)
        assert counted == sum(account[key] for account in accounts)
    assert sum(mirror.streams for mirror in mirrors) == len(accounts)
    assert sum(mirror.open + mirror.lag_bytes for mirror in mirrors) == 0
    dropped = Counter[str]()
    for account in accounts:
        dropped[account["reason"]] += account["dropped_bytes"]
    told = Counter[str]()
    for mirror in mirrors:
        told.update(mirror.dropped)
    assert +told == +dropped


async def check_nothing_is_held(proxied: Mirrored) -> None:
    """No mirror has anything of a connection that is over.

    A worker that was drained may have closed everything by now, or not yet.
    """
    worker, mirrors = proxied.worker, proxied.mirrors
    assert mirrors.budget.used_bytes == 0
    assert mirrors.streams.taken == 0
    # A mirror that fails is tried out of its own accord, whatever becomes of connections.
    await eventually(lambda: not any(mirror.disk.jobs for mirror in mirrors.mirrors))
    assert proxied.pipes_in_use == 0
    assert worker.pipes.statistics().in_use == 0
    allowed = listening_descriptors(worker) | {mirror.disk._wake_fd for mirror in mirrors.mirrors}
    assert proxied.keeps_commands or set(epoll_interest(worker.reactor)) <= allowed


@asynccontextmanager
async def mirrored(
    *mirrors: str | MirrorSettings,
    splice: bool = True,
    mode: Mode | None = None,
    buffers: Buffers = KERNEL_CHOICE,
    at_once: bool = False,
    **limits: Any,
) -> AsyncIterator[Mirrored]:
    """Serve with these mirrors, and check afterwards that nothing of any connection is left.

    ``at_once``: the proxy ends with the block, whatever is under way.
    """
    peers: list[Peer] = []
    mode = Mode(splice) if mode is None else mode
    with capture_logs() as log:
        acceptor = Acceptor((LOCALHOST, 0), buffers, 1024)
        settings = single_route(
            listen=(TcpAddress(LOCALHOST, 0),),
            backends=(mode.backend(TcpAddress(LOCALHOST, int(acceptor.address[1]))),),
            workers=1,
            splice=mode.splice,
            tls_certificate=mode.certificate,
            mirrors=tuple(
                each if isinstance(each, MirrorSettings) else parse_mirror(each) for each in mirrors
            ),
            **limits,
        )
        try:
            async with serve(settings) as proxy:
                relay = Mirrored(proxy, acceptor, log, buffers, peers, mode.tls)
                yield relay
                if not at_once:
                    for peer in peers:
                        peer.close()
                    await relay.settled()
                    await check_nothing_is_held(relay)
        finally:
            acceptor.close()
            for peer in peers:
                peer.close()
        worker = proxy.worker
        assert worker.pipes.statistics() == PipeStatistics(0, 0, 0)
        assert worker.mirrors is not None
        assert worker.mirrors.pipes.pool.statistics() == PipeStatistics(0, 0, 0)
        assert worker.mirrors.budget.used_bytes == 0
        check_accounts(relay.events("connection"))
        check_totals(relay)
        assert relay.events("internal_error") == []
