"""The same backend for the same client, as far as possible whatever happens to the others."""

from collections.abc import Sequence
from hashlib import blake2b
from math import log

from spliceproxy.policy.balance.state import BackendState

_HASH_BYTES = 8
_MASK = (1 << 8 * _HASH_BYTES) - 1
_DROPPED_BITS = 12  # what is left, and a half, fits a float exactly: never 0, never 1
_STEPS = 1 << (8 * _HASH_BYTES - _DROPPED_BITS)


class SourceHash:
    """Rendezvous hashing: each backend has a score for each client, and the best one is picked.

    When a backend goes, its clients alone move, in proportion to the weights of the others; when
    it is back, they return. Names count, not positions, and nothing is drawn: workers, machines and
    restarts agree.
    """

    def __init__(self, states: Sequence[BackendState]) -> None:
        # Odd, so that multiplying loses nothing.
        self._factors = [_hash(state.name.encode()) | 1 for state in states]

    def pick(self, candidates: Sequence[BackendState], client: bytes) -> BackendState:
        """Choose the candidate with the best score for the client, its address without port."""
        factors = self._factors
        key = _hash(client)
        best = candidates[0]
        highest = 0.0
        for state in candidates:
            # The upper bits of the product, as an even draw between 0 and 1. An exponential draw
            # divided by the weight is the lowest one with a chance in proportion to the weight.
            step = (key * factors[state.index] & _MASK) >> _DROPPED_BITS
            score = state.weight / -log((step + 0.5) / _STEPS)
            if score > highest:
                best, highest = state, score
        return best


def _hash(key: bytes) -> int:
    return int.from_bytes(blake2b(key, digest_size=_HASH_BYTES).digest())
