"""What handshakes may take of a worker's time and memory, so that a flood of them is no harm."""

import time
from typing import Protocol

from spliceproxy.loop.reactor import Reactor
from spliceproxy.tls.decryption import RecordBuffers

TURN_S = 0.002
"""Of one batch of events: some seven full handshakes with P-256."""
MOST_UNDER_WAY = 1024
"""With clients of one worker. Each has some 40 KB in OpenSSL. One more ends the oldest, which has
had the longest time."""


class UnderWay(Protocol):
    """A handshake that a client has not finished yet."""

    def crowd_out(self) -> None:
        """End it: others need its place."""


class HandshakeTurns:
    """Says which handshakes go on in a batch; who is told to wait has its event again."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self.buffers = RecordBuffers()
        """Of all connections by TLS that the reactor relays."""
        self._spent_s = 0.0
        self._counting = False
        self._under_way: dict[UnderWay, None] = {}

    def enter(self, handshake: UnderWay) -> None:
        """Begin one with a client; the oldest ends if there are too many."""
        if len(self._under_way) >= MOST_UNDER_WAY:
            next(iter(self._under_way)).crowd_out()
        self._under_way[handshake] = None

    def leave(self, handshake: UnderWay) -> None:
        """End one, if it is under way."""
        self._under_way.pop(handshake, None)

    def may_step(self) -> bool:
        """Whether there is time left for a step in this batch; there is for one at least."""
        return self._spent_s < TURN_S

    def spend(self, since_s: float) -> None:
        """Note that a step has taken as long as from then to now (`time.monotonic`)."""
        if not self._counting:
            self._counting = True
            self._reactor.at_batch_end(self._begin_anew)
        if self._counting:  # else it was outside of a batch
            self._spent_s += time.monotonic() - since_s

    def _begin_anew(self) -> None:
        self._counting = False
        self._spent_s = 0.0
