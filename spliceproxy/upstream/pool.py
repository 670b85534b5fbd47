"""A route's backends in one worker: who there is, whom a client gets, who waits for room."""

import random
import sys
from collections.abc import Callable, Collection, Sequence

from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.kernel.sockets import outlasts_keepalive
from spliceproxy.loop.reactor import Reactor
from spliceproxy.policy.balance.names import make_pool
from spliceproxy.policy.balance.pool import Shortage
from spliceproxy.policy.balance.state import BackendState
from spliceproxy.settings.proxy import RouteSettings
from spliceproxy.tls.dialer import TlsDialer
from spliceproxy.upstream.backend import Backend
from spliceproxy.upstream.client_queue import ClientQueue
from spliceproxy.upstream.group import Group
from spliceproxy.upstream.health import CountTransition, nobody_counts
from spliceproxy.upstream.membership import Membership
from spliceproxy.upstream.shared_room import SharedLine


class BackendPool:
    """Chooses backends for attempts, and counts what each has.

    Backend after backend as the balance has it; within one, its addresses as its `AddressOrder`
    has them.
    """

    def __init__(
        self,
        reactor: Reactor,
        groups: Sequence[Group],
        settings: RouteSettings,
        table: SharedTable,
        count: CountTransition = nobody_counts,
        *,
        slot: int = 0,
        worker: int = 0,
        tls: Sequence[TlsDialer | None] | None = None,
    ) -> None:
        """`tls` is what secures connections to the backends of each entry, where any is to be."""
        self.reactor = reactor
        self.retries = sys.maxsize if settings.retries is None else settings.retries
        limited = any(backend.max_connections for backend in settings.backends)
        line = SharedLine(table, slot, settings.name) if limited else None
        self.queue = ClientQueue(reactor, settings.queue, self._has_room, line)
        self.by_client = settings.balance == "source_hash"
        """Whether `choose` wants to know who the client is."""
        self.connect_timeout_s = settings.timeouts.connect_s
        self.tcp_user_timeout_s = settings.timeouts.tcp_user_s
        self.needs_keepalive = outlasts_keepalive(settings.timeouts.idle_s)
        self.next_address_s = settings.timeouts.next_address_s
        """When an address is tried beside another one of the same backend; 0 is never."""
        self.check = settings.health_check
        self.closes_lost = settings.on_down == "close"
        """Whether connections end when their backend goes down."""
        self._balance = settings.balance
        self.membership = Membership(
            groups, settings, table, count, slot=slot, tells=worker == 0, tls=tls
        )
        self.changed: Callable[[], None] = _do_nothing
        """Called when backends have other addresses."""
        self._arrange(skipped_turns=worker)

    @property
    def backends(self) -> list[Backend]:
        """All that there are now."""
        return self.membership.backends

    def _arrange(self, *, skipped_turns: int = 0) -> None:
        """Tell the balance which backends there are, in which order."""
        self._rooms = [backend.room for backend in self.backends if backend.room is not None]
        self._by_state = {backend.state: backend for backend in self.backends}
        for index, state in enumerate(self._by_state):
            state.index = index
        self._pool = make_pool(
            self._balance, list(self._by_state), random.random, skipped_turns=skipped_turns
        )

    def choose(self, client: bytes, tried: Collection[BackendState]) -> Backend | Shortage:
        """Choose a backend for a client with this address, which has tried some already.

        Room at it is taken, until `give_back`.
        """
        for room in self._rooms:
            room.look()
        while isinstance(choice := self._pool.choose(client, tried), BackendState):
            backend = self._by_state[choice]
            if backend.room is None or backend.room.take():
                return backend
        return choice

    def give_back(self, backend: Backend) -> None:
        """Count one connection less, or one that has not come about."""
        backend.state.active -= 1
        if backend.room is not None:
            backend.room.give_back()
        if self.queue.waiting:
            self.queue.move_soon()

    def look(self, now_s: float) -> None:
        """See what is new of the backends' health."""
        changes = [backend.health.look(now_s) for backend in self.backends]
        if any(changes):
            self.queue.move_soon()

    def has_lost(self) -> bool:
        """Whether a backend that is down has connections."""
        return any(backend.health.lost and backend.state.active for backend in self.backends)

    def _has_room(self) -> bool:
        for room in self._rooms:
            room.look()
        return any((state.up or state.ejected) and not state.full for state in self._by_state)

    def replace(self, number: int, group: Group) -> None:
        """Let other backends follow those of an entry; live connections go on."""
        self.reactor.refresh_clock()
        arrange = self.membership.replace(number, group)
        self.changed()
        if arrange:
            self._arrange()
            self.queue.move_soon()
        self.reactor.end_batch()


def _do_nothing() -> None:
    pass
