"""Whether a mirror works, as far as its streams tell, and what that means for new connections.

A stream that the mirror has failed makes it ``failing``; one that has ended well, ``ok``. Where
the mirror's policy is ``block``, more hangs on it: what can't be recorded is not to be let in.

===========  =======================  ==============================================================
phase        a client who comes now   what is next
===========  =======================  ==============================================================
`OK`         is let in                a stream fails: `WAITING`
`WAITING`    is refused               the back-off is over: `TRYING`, or `DUE` where only a stream
                                      can tell
`TRYING`     is refused               the sink can be used: `OK`; it can't: `WAITING`
`DUE`        is let in, as a trial    at once: `TRIAL`
`TRIAL`      is refused               its stream is open: `PROVING`; it ends well: `OK`; it fails:
                                      `WAITING`; it is not heard of for 10 s: `DUE`
`PROVING`    is refused               a second without a failure: `OK`; or as `TRIAL`
===========  =======================  ==============================================================

Without that policy there are only `OK` and `WAITING`, which the next stream ends that ends well, or
takes bytes.

The back-off grows with each failure until a stream has ended well: a mirror that can be opened, but
takes nothing, is not trusted anew each second.
"""

import time
from collections.abc import Callable
from enum import Enum, auto
from math import inf

import structlog

from spliceproxy.loop.reactor import Reactor
from spliceproxy.loop.timers import Timer
from spliceproxy.policy.backoff import Backoff

BACKOFF = Backoff(first_s=1.0, longest_s=30.0)

_PROVEN_S = 1.0
_TRIAL_IS_LOST_S = 10.0
"""Its client may never have got a backend. Longer than it takes to connect to a mirror in vain."""

COPIES_LOST = frozenset(
    {"buffer_full", "budget_full", "spool_full", "too_many_streams", "copy_failed"}
)
"""Reasons for bytes that a mirror did not get though nothing is wrong with it: it is slow, or there
was no room for its copies."""

_NOT_ITS_OWN = COPIES_LOST | {"", "connection_aborted", "stopped", "stopped_by_operator"}
"""Reasons for incomplete streams that say nothing against the mirror, or only that it is slow."""

TryOut = Callable[[Callable[[str], None]], None]
"""Finds out whether a sink can be used, and calls back with a reason why not, or nothing."""


class MirrorPhase(Enum):
    """See the table above."""

    OK = auto()
    WAITING = auto()
    TRYING = auto()
    DUE = auto()
    TRIAL = auto()
    PROVING = auto()


_HEEDS_STREAMS = frozenset({MirrorPhase.OK, MirrorPhase.TRIAL, MirrorPhase.PROVING})
"""In the others it may be a stream's that was open when the mirror began to fail. For the same
reason success counts in these alone, if more hangs on it."""


class MirrorState:
    """What is known of one mirror of one worker."""

    def __init__(
        self, reactor: Reactor, name: str, *, vital: bool, try_out: TryOut | None = None
    ) -> None:
        """`try_out`: None where only a stream can tell."""
        self.phase = MirrorPhase.OK
        self.reason = ""
        """Of the last failure."""
        self.failed_s = -inf
        """When that was (`time.monotonic`)."""
        self.lost_streams = 0
        """How many it has failed."""
        self._reactor = reactor
        self._name = name
        self.vital = vital
        """More hangs on it: its policy is ``block``."""
        self._heeds_success = _HEEDS_STREAMS if vital else frozenset(MirrorPhase)
        self._try_out = try_out
        self._failures = 0  # in a row
        self._timer: Timer | None = None

    @property
    def is_failing(self) -> bool:
        """Whether the last that was heard of it is bad."""
        return self.phase is not MirrorPhase.OK

    @property
    def refuses(self) -> bool:
        """Whether a connection that it is to record would not be let in."""
        return self.phase not in (MirrorPhase.OK, MirrorPhase.DUE)

    def let_in(self) -> None:
        """A connection is let in that it is to record: if a trial is due, this is the trial."""
        if self.phase is MirrorPhase.DUE:
            self._enter(MirrorPhase.TRIAL, _TRIAL_IS_LOST_S)

    def stream_opened(self) -> None:
        """The outlet of a stream that is vital is open."""
        if self.phase is MirrorPhase.TRIAL:
            self._enter(MirrorPhase.PROVING, _PROVEN_S)

    def stream_ended(self, reason: str, dropped_bytes: int) -> None:
        """A stream is over."""
        if reason not in _NOT_ITS_OWN:
            self.lost_streams += 1
            self.stream_failed(reason)
        elif not dropped_bytes and self.phase in self._heeds_success:
            self._failures = 0
            self._works()

    def stream_failed(self, reason: str) -> None:
        """A stream can't go on; that it is over is told apart."""
        if reason not in _NOT_ITS_OWN and self.phase in _HEEDS_STREAMS:
            self._fails(reason)

    def stream_delivers(self) -> None:
        """A stream that was opened after the last failure has brought bytes to the sink."""
        if not self.vital:
            self._failures = 0
            self._works()

    def close(self) -> None:
        """Ask no more how it is."""
        self._stop_timer()
        self.vital = False

    def on_deadline(self) -> None:
        """Go on from a phase that lasts for a time."""
        self._timer = None
        if self.phase is MirrorPhase.PROVING:
            self._works()
        elif self.phase is MirrorPhase.WAITING and self._try_out is not None:
            self._enter(MirrorPhase.TRYING, None)
            self._try_out(self._tried)
        else:
            self._enter(MirrorPhase.DUE, None)

    def on_crash(self, error: Exception) -> None:
        """Try again later, after an exception that nobody foresaw."""
        structlog.get_logger(mirror=self._name).error("internal_error", exc_info=error)
        self._fails(f"internal_error: {error}")

    def _tried(self, why_not: str) -> None:
        if self.vital and self.phase is MirrorPhase.TRYING:
            if why_not:
                self._fails(why_not)
            else:
                self._works()

    def _works(self) -> None:
        if self.is_failing:
            self._enter(MirrorPhase.OK, None)

    def _fails(self, reason: str) -> None:
        self.reason = reason
        self.failed_s = time.monotonic()
        self._failures += 1
        self._enter(MirrorPhase.WAITING, BACKOFF.delay_s(self._failures) if self.vital else None)

    def _enter(self, phase: MirrorPhase, for_s: float | None) -> None:
        self._stop_timer()
        self.phase = phase
        if for_s is not None:
            self._timer = self._reactor.timers.after(for_s, self)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
