"""A route's backends in one worker: who is chosen, who is connected, who waits."""

import random
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from spliceproxy.kernel.shared_table import SharedTable
from spliceproxy.policy.balance.names import make_pool
from spliceproxy.policy.balance.pool import Shortage
from spliceproxy.policy.balance.state import BackendState
from spliceproxy.pump.dial import Dial, DialOwner
from spliceproxy.pump.reactor import Reactor
from spliceproxy.settings.backend import BackendSettings
from spliceproxy.settings.options import RouteSettings
from spliceproxy.upstream.attempt import Attempt, AttemptOwner
from spliceproxy.upstream.backend import Backend
from spliceproxy.upstream.health import judging
from spliceproxy.upstream.line import Line
from spliceproxy.upstream.resolve import check_source
from spliceproxy.upstream.resolved import (
    LOOKUP_INTERVAL_S,
    Resolved,
    keep_resolved,
    resolve_place,
)


@dataclass(frozen=True, slots=True)
class Member:
    """A backend as all workers know it: what is wanted of it, and where it is."""

    settings: BackendSettings
    resolved: Resolved

    @property
    def name(self) -> str:
        """What the log calls it."""
        return self.resolved.name


def resolve_members(backends: Sequence[BackendSettings]) -> list[Member]:
    """Look all backends of a route up; the second one at a place gets a number.

    Raises:
        StartProblem: a name does not resolve, or no interface has an address to connect from.
    """
    members: list[Member] = []
    for backend in backends:
        check_source(backend.source)
        resolved = resolve_place(backend.address)
        before = sum(member.settings.address == backend.address for member in members)
        if before:
            resolved.name += f"#{before + 1}"
        members.append(Member(backend, resolved))
    return members


class BackendPool:
    """Connects clients to backends.

    Plain order, not happy eyeballs: backend after backend as the balance has it; within a backend
    its addresses one after the other as the resolver sorted them.
    """

    def __init__(
        self,
        reactor: Reactor,
        members: Sequence[Member],
        settings: RouteSettings,
        table: SharedTable,
        *,
        worker: int = 0,
    ) -> None:
        self.reactor = reactor
        self.retries = sys.maxsize if settings.retries is None else settings.retries
        self.line = Line(reactor, settings.queue, self._has_room)
        self.by_client = settings.balance == "source_hash"
        """Whether `choose` wants to know who the client is."""
        self._connect_timeout_s = settings.timeouts.connect_s
        self._tcp_user_timeout_s = settings.timeouts.tcp_user_s
        self._lookup_interval_s = settings.resolve_interval_s
        self.check = settings.health_check
        self.closes_lost = settings.on_down == "close"
        """Whether connections end when their backend goes down."""
        judged = judging(settings.name, settings)
        self.backends = [
            Backend(member.settings, member.resolved, index, judged, table)
            for index, member in enumerate(members)
        ]
        self._by_state = {backend.state: backend for backend in self.backends}
        self._pool = make_pool(
            settings.balance, list(self._by_state), random.random, skipped_turns=worker
        )

    def attempt(self, owner: AttemptOwner) -> Attempt:
        """Return an attempt to connect a client; it begins with its `start`."""
        return Attempt(self, owner)

    def choose(self, client: bytes, tried: Collection[BackendState]) -> Backend | Shortage:
        """Choose a backend for a client with this address, which has tried some already."""
        choice = self._pool.choose(client, tried)
        return self._by_state[choice] if isinstance(choice, BackendState) else choice

    def dial(self, owner: DialOwner, backend: Backend) -> Dial:
        """Return a dial to a backend."""
        return Dial(
            self.reactor,
            owner,
            backend.targets(),
            self._connect_timeout_s,
            self._tcp_user_timeout_s,
            backend.settings.source,
        )

    def give_back(self, backend: Backend) -> None:
        """Count one connection less, or one that has not come about."""
        backend.state.active -= 1
        self.line.move_soon()

    def look(self, now_s: float) -> None:
        """See what is new of the backends' health."""
        changes = [backend.health.look(now_s) for backend in self.backends]
        if any(changes):
            self.line.move_soon()

    def has_lost(self) -> bool:
        """Whether a backend that is down has connections."""
        return any(backend.health.lost and backend.state.active for backend in self.backends)

    def _has_room(self) -> bool:
        return any((state.up or state.ejected) and not state.full for state in self._by_state)

    async def keep_resolved(self) -> None:
        """Look names up again from time to time."""
        interval_s = self._lookup_interval_s or LOOKUP_INTERVAL_S
        await keep_resolved([backend.resolved for backend in self.backends], interval_s)
