"""One mirror that somebody has attached to a route or a connection, in one worker."""

import time
from collections.abc import Callable

from spliceproxy.ipc.attachment import Attachment
from spliceproxy.kernel.pipes import PipeLender
from spliceproxy.loop.reactor import Reactor
from spliceproxy.loop.timers import Timer
from spliceproxy.observe.tally import MirrorTally
from spliceproxy.policy.selection import Selection
from spliceproxy.sinks.mirrors import Mirror, Mirrors, choose
from spliceproxy.sinks.tapped import TappedConnection

TIME_OVER = "time_over"
_EARLY = 0.9
"""A timer may be late by a thirty-second part of its delay, so a long one is set too early, and
again for the rest."""
_EXACT_S = 1.0


class Attached:
    """Has its connections' copies; ends when its time is over, whoever is gone by then."""

    def __init__(
        self,
        attachment: Attachment,
        shared: Mirrors,
        mirror: Mirror,
        pipes: PipeLender | None,
        tally: MirrorTally,
        gone: Callable[["Attached"], None],
    ) -> None:
        self.attachment = attachment
        self.shared = shared
        self.mirror = mirror
        self.pipes = pipes
        self.tally = tally
        self._gone = gone
        self._selection = Selection.parse(
            {} if attachment.client is None else {"client": attachment.client}
        )
        self._connections: set[TappedConnection] = set()
        self._reactor: Reactor = shared.reactor
        self._timer: Timer | None = None
        self.ended_why = ""
        """Empty as long as it has not ended."""
        self._set_timer()

    def wants(self, client: str) -> bool:
        """Whether a connection of that client that begins now is copied."""
        if self.attachment.connection is not None or self.ended_why:
            return False
        host = client.rpartition(":")[0].strip("[]")
        return self._selection.has_client(host) and bool(choose([self.mirror], client))

    def opened(self, tapped: TappedConnection) -> None:
        """Count the streams of a connection."""
        self._connections.add(tapped)
        for _, branch in tapped.branches:
            self.tally.opened(branch)

    def over(self, tapped: TappedConnection) -> None:
        """Count streams that are over; the only connection's end is the attachment's."""
        self._connections.discard(tapped)
        for _, branch in tapped.branches:
            self.tally.ended(branch)
        if self.attachment.connection is not None:
            self.end("", "streams_ended")
        elif self.ended_why:
            self._let_go()

    def end(self, why_missing: str, why: str) -> None:
        """Copy no more; what is queued is still delivered.

        `why_missing` is empty where the streams have got all that they were to get.
        """
        if self.ended_why:
            self._let_go()
            return
        self.ended_why = why
        if self._timer is not None:
            self._timer.cancel()
        for tapped in list(self._connections):
            tapped.stop(self.mirror, why_missing)
        self._let_go()

    def _let_go(self) -> None:
        if not self._connections:
            self._gone(self)

    def _set_timer(self) -> None:
        left_s = self.attachment.left_s(time.monotonic())
        if left_s is not None:
            delay_s = left_s if left_s < _EXACT_S else left_s * _EARLY
            self._timer = self._reactor.timers.after(delay_s, self)

    def on_deadline(self) -> None:
        """End, or wait for the rest of the time."""
        left_s = self.attachment.left_s(time.monotonic())
        if left_s:
            self._set_timer()
        else:
            self.end("", TIME_OVER)

    def on_crash(self, error: Exception) -> None:
        """Give the streams up."""
        for tapped in list(self._connections):
            for _, branch in tapped.branches:
                branch.on_crash(error)
