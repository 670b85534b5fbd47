"""The mirrors that routes are configured with, and what all mirrors of a worker share.

That is there as long as there is a mirror.
"""

from collections.abc import Iterable

from spliceproxy.loop.reactor import Reactor
from spliceproxy.observe.tally import Tally
from spliceproxy.proxy.prepared import PreparedRoute
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.sinks.mirrors import Mirror, Mirrors
from spliceproxy.sinks.sink import MirrorPeer
from spliceproxy.tls.dialer import TlsDialer
from spliceproxy.tls.handshake_turns import HandshakeTurns


def mirror_names(mirrors: Iterable[MirrorSettings]) -> list[str]:
    """Name the mirrors of a route by their texts; a second one with a text gets a number."""
    names: list[str] = []
    for mirror in mirrors:
        before = sum(name.partition("#")[0] == mirror.text for name in names)
        names.append(f"{mirror.text}#{before + 1}" if before else mirror.text)
    return names


class WorkerMirrors:
    """Makes what mirrors share for the first of them."""

    def __init__(self, reactor: Reactor, budget_bytes: int, sample_key: bytes) -> None:
        self._reactor = reactor
        self._budget_bytes = budget_bytes
        self._sample_key = sample_key
        self.shared: Mirrors | None = None
        """None where there is no mirror."""

    def acquire(self) -> Mirrors:
        """Return what mirrors share.

        Raises:
            NoPipeError: it cannot be made, for want of a pipe.
            OSError: it cannot be made, for want of a descriptor.
        """
        if self.shared is None:
            self.shared = Mirrors(self._reactor, self._budget_bytes, self._sample_key)
        return self.shared

    def release_if_unused(self) -> None:
        """Close it if no mirror is left."""
        if self.shared is not None and not self.shared.mirrors:
            self.shared.close()
            self.shared = None

    def open(self, prepared: PreparedRoute, tally: Tally, turns: HandshakeTurns) -> list[Mirror]:
        """Open the mirrors that a route is configured with."""
        route = prepared.settings
        if not route.mirrors:
            return []
        rows = [tally.order(route.name, name) for name in mirror_names(route.mirrors)]
        peers = self._peers(prepared, turns)
        mirrors = [
            (mirror, peer, row.cells)
            for mirror, peer, row in zip(route.mirrors, peers, rows, strict=True)
        ]
        return self.acquire().open(mirrors, prepared.max_sessions)

    def _peers(self, prepared: PreparedRoute, turns: HandshakeTurns) -> list[MirrorPeer | None]:
        addresses = prepared.upstreams.mirrors
        tls = [None] * len(addresses) if prepared.tls is None else prepared.tls.mirrors
        return [
            None
            if address is None
            else MirrorPeer(
                address.targets, None if its is None else TlsDialer(self._reactor, turns, its)
            )
            for address, its in zip(addresses, tls, strict=True)
        ]
