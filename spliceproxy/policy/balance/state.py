"""What balancing knows of a backend at this moment."""

import sys
from dataclasses import dataclass

UNLIMITED = sys.maxsize


@dataclass(slots=True, eq=False)  # compared by identity: there is one for each backend
class BackendState:
    """A backend as its owner last described it; the owner writes, balancing reads."""

    index: int
    """The index in the pool: 0, 1, …"""
    name: str
    """What `source_hash` knows it by; stays the same when others come and go."""
    weight: int = 1
    tier: int = 0
    """Those of a higher tier are backups of those below."""
    max_connections: int = UNLIMITED
    active: int = 0
    """Connections that it has now, those being opened included."""
    up: bool = True
    ejected: bool = False
    """Not `up` only because connects to it failed: better than nobody."""
    credit: int = 0
    """What a round robin owes it: kept here, so that it stays when others come and go."""

    def __post_init__(self) -> None:
        if self.weight < 1:
            raise ValueError(f"a weight is 1 or more, not {self.weight}")

    @property
    def full(self) -> bool:
        """Whether one connection more would be too many."""
        return self.active >= self.max_connections
