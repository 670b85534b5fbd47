"""The backends of a route in tiers, and the choice of one for a connection."""

from collections.abc import Collection, Iterator, Sequence
from enum import Enum, auto
from typing import Protocol

from spliceproxy.policy.balance.state import BackendState


class Balance(Protocol):
    """A way to spread connections."""

    def pick(self, candidates: Sequence[BackendState], client: bytes) -> BackendState:
        """Choose one of the candidates, of which there is at least one."""


class Shortage(Enum):
    """Why no backend can be had."""

    DOWN = auto()
    """None is up."""
    TRIED = auto()
    """Each one that is up has been tried for this connection."""
    FULL = auto()
    """One that is up is full: waiting may help."""


class Pool:
    """Backends to choose from.

    Backups, those of a higher tier, get connections when none below is up, or when each that is up
    was tried in vain. One that is merely full is waited for. Backends that were ejected because
    connects to them failed come last of all, so that ejecting never leaves nobody to try.
    """

    def __init__(self, states: Sequence[BackendState], balance: Balance) -> None:
        if [state.index for state in states] != list(range(len(states))):
            raise ValueError("the indexes of a pool's backends are 0, 1, … in order")
        tiers: dict[int, list[BackendState]] = {}
        for state in states:
            tiers.setdefault(state.tier, []).append(state)
        self._tiers = [tiers[number] for number in sorted(tiers)]
        self._balance = balance

    def choose(
        self, client: bytes = b"", tried: Collection[BackendState] = ()
    ) -> BackendState | Shortage:
        """Choose a backend that this connection has not tried, for a client with this address."""
        for tier in self._tiers:
            reachable = [state for state in tier if state.up and state not in tried]
            if reachable:
                return self._choose_among(reachable, client)
        for tier in self._tiers:
            ejected = [state for state in tier if state.ejected and state not in tried]
            if ejected:
                return self._choose_among(ejected, client)
        return Shortage.TRIED if tried else Shortage.DOWN

    def order(self, client: bytes = b"") -> Iterator[BackendState]:
        """Yield backend after backend until none can be had, each as things are by then."""
        tried: list[BackendState] = []
        while isinstance(choice := self.choose(client, tried), BackendState):
            tried.append(choice)
            yield choice

    def _choose_among(
        self, reachable: list[BackendState], client: bytes
    ) -> BackendState | Shortage:
        # The property `full` would cost as much again as the rest.
        candidates = [state for state in reachable if state.active < state.max_connections]
        if len(candidates) > 1:
            return self._balance.pick(candidates, client)
        return candidates[0] if candidates else Shortage.FULL
