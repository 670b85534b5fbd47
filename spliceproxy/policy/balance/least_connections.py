"""The backend with the fewest connections for its weight."""

from collections.abc import Sequence

from spliceproxy.policy.balance.round_robin import RoundRobin
from spliceproxy.policy.balance.state import BackendState


class LeastConnections:
    """Picks the least busy candidate; those that are equally busy take weighted turns.

    Without the turns a route with little traffic, where all are idle, would know one backend only.
    """

    def __init__(self) -> None:
        self._turns = RoundRobin()

    def pick(self, candidates: Sequence[BackendState], client: bytes = b"") -> BackendState:
        """Choose the candidate with the fewest connections for its weight."""
        best = candidates[0]
        least = float("inf")
        tied = False
        for state in candidates:
            load = state.active / state.weight  # equal ratios are equal floats: rounded correctly
            if load < least:
                best, least, tied = state, load, False
            elif load == least:
                tied = True
        if not tied:
            return best
        equals = [state for state in candidates if state.active / state.weight == least]
        return self._turns.pick(equals, client)
