"""How many clients of one admin address there may be at once, and who has to leave for another.

Nobody is made to wait: a client that has asked for nothing yet leaves for one that comes. Where
all are being answered there is standing room, in which questions of health are answered and
nothing else; so a monitor hears that the proxy lives whatever others do at its door.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import trio

from spliceproxy.admin.peer import Peer

MAX_SEATED = 64
MAX_OF_PEER = 16
"""Of the seats: those of one address or user."""
MAX_STANDING = 32


@dataclass(slots=True, eq=False)
class Guest:
    """One connection."""

    peer: Peer
    """Who it is; by TLS it is known a little later what certificate it has."""
    stands: bool
    """It may only ask after health."""
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    waits_since: float | None = field(default_factory=trio.current_time)
    """Since when a request is awaited of it; None: one is being answered."""

    def asks(self) -> None:
        """A whole request is here."""
        self.waits_since = None

    def waits(self) -> None:
        """It has its answer."""
        self.waits_since = trio.current_time()


class House:
    """Lets guests in."""

    def __init__(self) -> None:
        self._guests: set[Guest] = set()

    def admit(self, peer: Peer) -> Guest | None:
        """Let somebody in; None: there is not even standing room."""
        seated = [each for each in self._guests if not each.stands]
        of_peer = [each for each in seated if each.peer.key == peer.key]
        stands = (len(of_peer) >= MAX_OF_PEER and not self._dismiss_one(of_peer)) or (
            len(self._guests) - self._standing >= MAX_SEATED and not self._dismiss_one(seated)
        )
        if stands and self._standing >= MAX_STANDING:
            standing = [each for each in self._guests if each.stands]
            if not self._dismiss_one(standing):
                return None
        guest = Guest(peer, stands)
        self._guests.add(guest)
        return guest

    def leave(self, guest: Guest) -> None:
        """Free its seat, unless somebody has it already."""
        self._guests.discard(guest)

    @property
    def _standing(self) -> int:
        return sum(each.stands for each in self._guests)

    def _dismiss_one(self, guests: Iterable[Guest]) -> bool:
        """End the connection of which a request has been awaited for longest."""
        waiting = [(each.waits_since, each) for each in guests if each.waits_since is not None]
        if not waiting:
            return False
        _, guest = min(waiting, key=lambda one: one[0])
        self._guests.remove(guest)
        guest.scope.cancel()
        return True
