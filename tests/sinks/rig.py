"""One connection's mirrors without the connection: what a flow would hand them, a test does."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import trio

from spliceproxy.ipc.shared_table import private_row
from spliceproxy.kernel.pipes import PipePool
from spliceproxy.loop.reactor import Reactor
from spliceproxy.settings.mirror import MirrorSettings, parse_mirror
from spliceproxy.settings.mirror_kinds.table import KINDS
from spliceproxy.settings.tls import TlsDial
from spliceproxy.sinks.branch import Branch
from spliceproxy.sinks.connection_facts import ConnectionFacts
from spliceproxy.sinks.mirrors import Mirror, Mirrors
from spliceproxy.sinks.sink import MirrorPeer
from spliceproxy.sinks.tapped_connection import TappedConnection
from spliceproxy.tap.fan_out import Tap
from spliceproxy.tls.dialer import TlsDialer
from spliceproxy.tls.handshake_turns import HandshakeTurns
from spliceproxy.upstream.resolved import Resolved, resolve_mirrors
from tests.proxy.relay import eventually
from tests.tls.authority import client_tls

Mode = Literal["pipe", "bytes"]
MODES: tuple[Mode, ...] = ("pipe", "bytes")
RECORD: dict[str, object] = {"reason": "closed"}


class Owner:
    """Remembers what the mirrors tell."""

    def __init__(self) -> None:
        self.told_of_room = 0
        self.failures: list[str] = []
        self.ended = 0

    def facts(self) -> ConnectionFacts:
        return ConnectionFacts("a", "192.0.2.1:1", "192.0.2.2:2", "0-1", "2026-01-01T00:00:00Z")

    def mirror_has_room(self) -> None:
        self.told_of_room += 1

    def mirror_failed(self, mirror: Mirror, why: str) -> None:
        self.failures.append(why)

    def mirrors_ended(self, tapped: TappedConnection) -> None:
        self.ended += 1


class Rig:
    """The mirrors of one worker with one connection."""

    def __init__(self, mirrors: Mirrors, mode: Mode) -> None:
        self.mirrors = mirrors
        self.owner = Owner()
        self.tapped = TappedConnection(mirrors, self.owner, mirrors.mirrors, "127.0.0.1:80", b"")
        self._mode = mode
        self._pool = PipePool()
        self.ended = False

    def start(self) -> None:
        self.tapped.start()
        self._batch_is_over()

    def cut(self) -> None:
        self.tapped.cut()
        self._batch_is_over()

    def _batch_is_over(self) -> None:
        """Do what the reactor does behind callbacks."""
        self.mirrors.reactor.end_batch()
        self.mirrors.reactor.refresh_clock()

    @property
    def request(self) -> Tap:
        tap = self.tapped.tap("request")
        assert tap is not None
        return tap

    @property
    def branch(self) -> Branch:
        """The first mirror's branch of the request."""
        return self.tapped.branches[0][1]

    def offer(self, data: bytes) -> None:
        """Hand over what a flow has just read."""
        if self._mode == "bytes":
            self._offer_in_memory(data)
        else:
            self._offer_in_pipe(data)
        self._batch_is_over()

    def _offer_in_memory(self, data: bytes) -> None:
        for receiver in self.request.receivers:
            try:
                receiver.offer(data)
            except Exception as error:
                receiver.on_crash(error)

    def _offer_in_pipe(self, data: bytes) -> None:
        pipe = self._pool.borrow()
        assert os.write(pipe.write_fd, data) == len(data)
        self.request.copy_pipe(pipe, len(data))
        left = len(data)
        while left:
            left -= len(os.read(pipe.read_fd, left))
        self._pool.give_back(pipe)

    def end(self, *, clean: bool = True) -> None:
        """End the request stream, and with it the connection."""
        if clean:
            self.request.end(clean=True)
        self.tapped.end(RECORD)
        self._batch_is_over()
        self.ended = True

    def pipes_in_use(self) -> int:
        """How many pipes are on their way to mirrors."""
        return self.mirrors.pipes.statistics().in_use

    async def over(self) -> None:
        await eventually(lambda: self.owner.ended > 0)

    def check_accounts(self) -> None:
        """Every byte is delivered or dropped, and nothing is held for anybody."""
        for line in self.tapped.report():
            assert line["offered_bytes"] == line["delivered_bytes"] + line["dropped_bytes"]  # type: ignore[operator]
            assert line["queued_bytes"] == 0
            assert line["state"] in {"complete", "incomplete"}
            assert (line["state"] == "incomplete") == bool(line["reason"])
        for _, branch in self.tapped.branches:
            assert branch.queued_bytes == 0
            assert not branch.queue
            assert not branch.holds
            assert sum(gap.length for gap in branch.gaps) == branch.dropped_bytes
        assert self.mirrors.budget.used_bytes == 0
        assert self.mirrors.streams.taken == 0
        assert self.pipes_in_use() == 0
        assert all(mirror.disk.jobs == 0 for mirror in self.mirrors.mirrors)
        assert self.owner.ended == 1

    def close(self) -> None:
        self.tapped.cut()
        self.mirrors.close()
        self.mirrors.reactor.close()
        self._pool.close()


def make_peer(
    mirror: MirrorSettings, addresses: Resolved | None, reactor: Reactor
) -> MirrorPeer | None:
    """Whom a mirror connects to, and what it speaks TLS with."""
    if addresses is None:
        return None
    options = KINDS[mirror.kind].tls_options(mirror)
    if options is None:
        return MirrorPeer(addresses.targets)
    tls = client_tls(TlsDial(**options), str(addresses.address))
    return MirrorPeer(addresses.targets, TlsDialer(reactor, HandshakeTurns(reactor), tls))


@asynccontextmanager
async def rig(
    *texts: str,
    mode: Mode = "pipe",
    budget_bytes: int = 256 << 20,
    max_connections: int = 64,
    at_once: bool = False,
) -> AsyncIterator[Rig]:
    """Run mirrors within the block; afterwards their accounts must be closed.

    ``at_once``: nothing is waited for at the end of the block.
    """
    settings = tuple(parse_mirror(text) for text in texts)
    backends = resolve_mirrors(settings)
    reactor = Reactor()
    placed = [
        (mirror, make_peer(mirror, addresses, reactor), private_row("order").cells)
        for mirror, addresses in zip(settings, backends, strict=True)
    ]
    mirrors = Mirrors(reactor, budget_bytes, bytes(32))
    mirrors.open(placed, max_connections)
    made_rig = Rig(mirrors, mode)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(reactor.run)
            made_rig.start()
            yield made_rig
            if not made_rig.ended:
                made_rig.end(clean=False)
            if not at_once:
                await made_rig.over()
                # A mirror has jobs of its own, such as to open its directory.
                await eventually(lambda: not any(one.disk.jobs for one in mirrors.mirrors))
                made_rig.check_accounts()
            nursery.cancel_scope.cancel()
    finally:
        made_rig.close()
    made_rig.check_accounts()
