"""The less busy of two backends drawn at random."""

from collections.abc import Callable, Sequence

from spliceproxy.policy.balance.state import BackendState


class RandomTwo:
    """Draws two candidates by weight and picks the less busy one.

    Workers, or whole machines, that don't know of each other's connections do not all run to the
    same backend, as they would with the least busy of all.
    """

    def __init__(self, random: Callable[[], float]) -> None:
        """`random` returns numbers of 0 to below 1."""
        self._random = random

    def pick(self, candidates: Sequence[BackendState], client: bytes = b"") -> BackendState:
        """Choose between two candidates."""
        del client
        if len(candidates) == 1:
            return candidates[0]
        total = 0
        for state in candidates:
            total += state.weight
        one = _draw(candidates, self._random() * total, None)
        other = _draw(candidates, self._random() * (total - one.weight), one)
        return other if other.active * one.weight < one.active * other.weight else one


def _draw(
    candidates: Sequence[BackendState], point: float, without: BackendState | None
) -> BackendState:
    """Return the candidate at a point of the line where each takes as much room as it weighs."""
    last = candidates[0]
    for state in candidates:
        if state is not without:
            point -= state.weight
            if point < 0:
                return state
            last = state
    return last  # the product with a number just below 1 was rounded up
