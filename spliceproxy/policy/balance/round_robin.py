"""Turns in proportion to the weights, spread as evenly as they can be."""

from collections.abc import Sequence

from spliceproxy.policy.balance.state import BackendState


class RoundRobin:
    """Smooth weighted round robin, as nginx does it.

    Each pick gives every candidate its weight as credit; the richest is picked and pays what all
    were given. Weights of 5, 1 and 1 come out as a a b a c a a, not as a a a a a b c.
    """

    def pick(self, candidates: Sequence[BackendState], client: bytes = b"") -> BackendState:
        """Choose the candidate whose turn it is."""
        del client
        richest = candidates[0]
        most: float = float("-inf")
        total = 0
        for state in candidates:
            weight = state.weight
            total += weight
            credit = state.credit = state.credit + weight
            if credit > most:
                richest, most = state, credit
        richest.credit -= total
        return richest
