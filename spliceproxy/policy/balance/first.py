"""The first backend that has room."""

from collections.abc import Sequence

from spliceproxy.policy.balance.state import BackendState


class First:
    """Picks in the order of the configuration: the next one when those before it are full."""

    def pick(self, candidates: Sequence[BackendState], client: bytes = b"") -> BackendState:
        """Choose the first candidate."""
        del client
        return candidates[0]
