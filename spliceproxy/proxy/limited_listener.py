"""Accepting on a route with a limit that holds for all workers together."""

import socket
from typing import Protocol

from spliceproxy.loop.line_sums import LineSums
from spliceproxy.loop.reactor import Reactor
from spliceproxy.proxy.listener import Accepted, Listener


class Limits(Protocol):
    """Say whether a client may come."""

    def wait_s(self) -> float:
        """Return how long to leave clients in the backlog; 0: one may come in."""

    def settle(self) -> None:
        """Take note that whoever was to come has come, or has not."""


class LimitedListener(Listener):
    """Asks before it accepts, since other workers may have let in the last one that may come.

    Only a client that waits makes it ask. It then pauses for as long as it is told to, or until
    `end_pause`, and asks again while that client, or another one, waits.
    """

    def __init__(
        self,
        limits: Limits,
        reactor: Reactor,
        sock: socket.socket,
        accepted: Accepted,
        sums: LineSums,
        *,
        shared: bool,
    ) -> None:
        super().__init__(reactor, sock, accepted, sums, shared=shared)
        self._limits = limits

    def _accept_next(self) -> bool:
        wait_s = self._limits.wait_s()
        if wait_s:
            self._wait(wait_s)
            return False
        try:
            return self.accept_one()
        finally:
            self._limits.settle()
