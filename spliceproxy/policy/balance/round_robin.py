"""Turns in proportion to the weights, spread as evenly as they can be."""

from collections.abc import Sequence

from spliceproxy.policy.balance.state import BackendState


class RoundRobin:
    """Smooth weighted round robin, as nginx does it.

    Each pick gives every candidate its weight as credit; the richest is picked and pays what all
    were given. Weights of 5, 1 and 1 come out as a a b a c a a, not as a a a a a b c.
    """

    def __init__(self, backends: int) -> None:
        self._credits = [0] * backends

    def pick(self, candidates: Sequence[BackendState], client: bytes = b"") -> BackendState:
        """Choose the candidate whose turn it is."""
        del client
        credits_by_index = self._credits
        richest = candidates[0]
        most: float = float("-inf")
        total = 0
        for state in candidates:
            weight = state.weight
            total += weight
            credit = credits_by_index[state.index] = credits_by_index[state.index] + weight
            if credit > most:
                richest, most = state, credit
        credits_by_index[richest.index] -= total
        return richest
