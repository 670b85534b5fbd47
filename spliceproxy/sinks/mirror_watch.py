"""How a mirror is, looked at once a second, and told to the log when it changes.

=========  ==========================================================================
condition  when
=========  ==========================================================================
failing    the last that was heard of it is bad (`MirrorState`), or was a moment ago
behind     a stream holds three quarters of what it may, or copies were dropped a moment
           ago for want of room; until all of them hold next to nothing
ok         else
=========  ==========================================================================

The moment is ten seconds: however often a mirror fails and works again, the log has two lines of it
in that time.
"""

import time
from collections.abc import Mapping
from math import inf

import structlog

from spliceproxy.formats.timestamps import timestamp_at
from spliceproxy.ipc.rows import MirrorCondition
from spliceproxy.sinks.branch import Branch
from spliceproxy.sinks.mirror_state import COPIES_LOST, MirrorState

QUIET_S = 10.0
"""So long without a loss, and a mirror is told to work again."""
_HIGH, _LOW = 3 / 4, 1 / 8
_LAGGING = "lagging"
"""The reason of a mirror that is behind and has lost nothing."""
_EVENTS = {
    MirrorCondition.OK: "mirror_recovered",
    MirrorCondition.BEHIND: "mirror_behind",
    MirrorCondition.FAILING: "mirror_failing",
}


class MirrorWatch:
    """Watches one mirror of one worker."""

    def __init__(self, state: MirrorState, route: str, mirror: str) -> None:
        self.condition = MirrorCondition.OK
        self.since_s = time.time()
        """When that began, or the worker."""
        self.reason = ""
        """Why it is not ``ok``."""
        self._state = state
        self._route = route
        self._mirror = mirror
        self._behind_s = -inf
        self._lost: dict[str, int] = {}  # by reason, as of the last look
        self._losses_before = (0, 0)  # streams and bytes, as of when it was ok

    def look(self, streams: Mapping[Branch, int], lost: Mapping[str, int]) -> None:
        """Look at open streams, and at the bytes by reason that it did not get in all.

        Of a stream also how many had been lost when it was opened.
        """
        now_s = time.monotonic()
        self._hear_of_success(streams)
        fill = max((stream.fill for stream in streams), default=0.0)
        why_behind = self._why_behind(fill, lost)
        if why_behind:
            self._behind_s = now_s
        state, condition = self._state, MirrorCondition.OK
        if state.is_failing or now_s - state.failed_s < QUIET_S:
            condition, reason = MirrorCondition.FAILING, state.reason
        elif now_s - self._behind_s < QUIET_S or (self._is_behind and fill > _LOW):
            condition = MirrorCondition.BEHIND
            reason = why_behind or (self.reason if self._is_behind else _LAGGING)
        else:
            reason = ""
        self._lost = dict(lost)
        self._note(condition, reason)

    @property
    def _is_behind(self) -> bool:
        return self.condition is MirrorCondition.BEHIND

    def _hear_of_success(self, streams: Mapping[Branch, int]) -> None:
        """Without waiting for the end of a stream, which may last for days."""
        state = self._state
        if state.is_failing and any(
            before == state.lost_streams and stream.delivered_bytes
            for stream, before in streams.items()
        ):
            state.stream_delivers()

    def _why_behind(self, fill: float, lost: Mapping[str, int]) -> str:
        for reason in COPIES_LOST:
            if lost.get(reason, 0) > self._lost.get(reason, 0):
                return reason
        return _LAGGING if fill >= _HIGH else ""

    def _note(self, condition: MirrorCondition, reason: str) -> None:
        if condition is self.condition:
            self.reason = reason
        else:
            # What is over is told with its reason.
            self._tell(condition, reason or self.reason)
            self.condition, self.reason, self.since_s = condition, reason, time.time()
        if condition is MirrorCondition.OK:
            self._losses_before = self._losses()

    def _losses(self) -> tuple[int, int]:
        return self._state.lost_streams, sum(self._lost.values())

    def _tell(self, condition: MirrorCondition, reason: str) -> None:
        since_s = time.time() if condition is not MirrorCondition.OK else self.since_s
        streams, lost_bytes = (
            now - before for now, before in zip(self._losses(), self._losses_before, strict=True)
        )
        structlog.get_logger(route=self._route, mirror=self._mirror).warning(
            _EVENTS[condition],
            reason=reason,
            since=timestamp_at(since_s),
            lost_streams=streams,
            lost_bytes=lost_bytes,
        )
