"""The secret of session tickets: one for all workers of all generations, new twice a day.

A ticket of TLS 1.2 holds what its connection is encrypted with. Whoever gets the secret can read
what was recorded; so it is in no file, and does not last.
"""

import secrets
import time
from collections.abc import Iterable

import structlog

from spliceproxy.master.generation import Generation
from spliceproxy.tls.ticket_keys import SECRET_BYTES, keys_can_be_set

LIFETIME_S = 12 * 3600.0
"""Longer than any ticket is valid, which OpenSSL has be two hours."""


class TicketSecret:
    """Gives it to generations that speak TLS. Without any, nothing is tried out."""

    def __init__(self) -> None:
        self._secret = b""
        self._told = False
        self.next_deadline_s: float | None = None
        """When it is to be a new one."""

    def give_to(self, generation: Generation) -> None:
        """Have a generation that is made, and has no worker yet, use it."""
        if not generation.terminates_tls:
            return
        if not keys_can_be_set():
            if not self._told:
                self._told = True
                structlog.get_logger().info(
                    "tls_tickets_not_kept",
                    why="the keys of session tickets cannot be set with this Python or OpenSSL",
                    effect="after a reload no client can resume its session",
                )
            return
        if self.next_deadline_s is None:
            self._make()
        generation.use_tickets(self._secret)

    def tend(self, generations: Iterable[Generation]) -> None:
        """Make a new one if it is time for that."""
        if self.next_deadline_s is None or time.monotonic() < self.next_deadline_s:
            return
        self._make()
        for generation in generations:
            generation.use_tickets(self._secret)
            generation.workers.use_tickets(self._secret)

    def _make(self) -> None:
        self._secret = secrets.token_bytes(SECRET_BYTES)
        self.next_deadline_s = time.monotonic() + LIFETIME_S
