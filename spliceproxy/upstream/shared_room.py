"""What workers tell one another of a route's backends that have a limit, and of who waits for them.

All workers of all generations are meant by the `max_connections` of a backend.
"""

from spliceproxy.ipc.rows import CommonKind
from spliceproxy.ipc.shared_count import SharedCount
from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.policy.balance.state import BackendState


class SharedRoom:
    """How many connections a backend may have from this worker, since the others have some too."""

    __slots__ = ("_limit", "_state", "_taken")

    def __init__(
        self, table: SharedTable, slot: int, route: str, state: BackendState, limit: int
    ) -> None:
        labels = ("backend", route, state.name)
        self._taken = SharedCount(table, slot, CommonKind.COUNT, labels)
        self._state = state
        self._limit = limit

    def look(self) -> None:
        """Let balancing know how much room there is."""
        self._state.max_connections = self._limit - self._taken.total() + self._state.active

    def take(self) -> bool:
        """Take room for a connection, which the state counts from now on; False: there is none.

        Of several workers that take the last room at the same moment none has it: all see that
        there is too much, stand back, and try again.
        """
        self._taken.own += 1
        if self._taken.total() <= self._limit:
            return True
        self._taken.own -= 1
        self._state.max_connections = self._state.active
        return False

    def give_back(self) -> None:
        """One does so no more."""
        self._taken.own -= 1


class SharedLine:
    """How many clients wait for a route's backends in all workers, and where the first one does.

    Each worker serves those first who came first; without more, one that has all connections would
    give each place that becomes free to its own clients, and those of another worker would wait in
    vain. So it lets the others have room now and then.
    """

    def __init__(self, table: SharedTable, slot: int, route: str) -> None:
        self._waiting = SharedCount(table, slot, CommonKind.COUNT, ("queue", route))
        self._since_us = SharedCount(table, slot, CommonKind.COUNT, ("queue_since", route))

    def __len__(self) -> int:
        return self._waiting.total()

    def tell(self, waiting: int, since_s: float) -> None:
        """Say how many wait in this worker, and since when the first of them does."""
        self._waiting.own = waiting
        self._since_us.own = int(since_s * 1e6) if waiting else 0

    def first_elsewhere_s(self) -> float:
        """Return since when the first one in any other worker waits; 0: nobody does."""
        return min(filter(None, self._since_us.of_others()), default=0) / 1e6
