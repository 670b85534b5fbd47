"""What a replay would do, without a connection."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any, NamedTuple

import spliceproxy.capture
from spliceproxy.capture import Closed, ConnectionId, Event, Opened
from spliceproxy.replay.checkpoint import Checkpoint
from spliceproxy.replay.obstacles import ConnectionStart, Obstacles, mid_stream_hint
from spliceproxy.replay.replay_options import Pace, ReplayOptions
from spliceproxy.replay.replay_steps import StepMaker


def dry_run(options: ReplayOptions) -> dict[str, Any]:
    """Read the capture, and count what would be replayed.

    Raises:
        UsageProblem: there is no capture, or the checkpoint is of another replay.
    """
    capture = spliceproxy.capture.open(options.directory)
    capture.require_segment()
    forecast = _Forecast(options)
    for event in capture.events():
        forecast.take(event)
    unreadable = [f"{problem.path}: {problem.what}" for problem in capture.unreadable]
    told = forecast.summary()
    told["hints"] += capture.clocks.hints()
    return {"capture": str(options.directory), **told, "unreadable": unreadable}


class _Expected(NamedTuple):
    maker: StepMaker
    start: ConnectionStart
    route: str


class _Forecast:
    def __init__(self, options: ReplayOptions) -> None:
        self._options = options
        path = options.checkpoint
        self._checkpoint = Checkpoint(path, options.describe()) if path else None
        self._live: dict[ConnectionId, _Expected | None] = {}  # None: not replayed
        self._obstacles = Obstacles()
        self._routes: Counter[str] = Counter()
        self._skipped: Counter[str] = Counter()
        self._filtered = self._done_before = 0
        self._request_bytes = self._answer_bytes = 0
        self._first_ns: int | None = None
        self._last_begun_ns = self._last_ns = 0

    def take(self, event: Event) -> None:
        if event.connection not in self._live:
            self._live[event.connection] = self._begin(event)
        found = self._live[event.connection]
        if found is not None:
            found.maker.step(event)
            found.start.take(event)
            self._last_ns = event.time_ns
        if isinstance(event, Closed):
            self._settle(self._live.pop(event.connection))

    def _begin(self, event: Event) -> _Expected | None:
        wanted = self._options.wanted
        facts = event.facts if isinstance(event, Opened) else {}
        if self._checkpoint is not None and event.connection in self._checkpoint:
            self._done_before += 1
            return None
        if not (wanted.is_in_time(event.time_ns) and wanted.wants(facts)):
            self._filtered += 1
            return None
        if self._first_ns is None:
            self._first_ns = event.time_ns
        self._last_begun_ns = event.time_ns
        route = str(facts.get("route", ""))
        return _Expected(StepMaker(), self._obstacles.watch(), route)

    def _settle(self, found: _Expected | None) -> None:
        if found is None:
            return
        found.start.end()
        maker = found.maker
        copies = self._options.copies
        if maker.why_incomplete and not self._options.sends_incomplete:
            self._skipped[maker.why_incomplete] += copies
            return
        self._routes[found.route] += copies
        self._request_bytes += maker.request_bytes * copies
        self._answer_bytes += maker.answer_bytes * copies

    def summary(self) -> dict[str, Any]:
        """Return what there is to tell when all has been taken."""
        for found in self._live.values():
            self._settle(found)
        first_ns = self._first_ns
        arrival_s = None
        if first_ns is not None and self._options.pace is not Pace.MAX:
            arrival_s = (self._last_begun_ns - first_ns) / 1e9 * self._options.arrival
        mid_stream = self._skipped["mid_stream"] // self._options.copies
        return {
            "connections": self._routes.total(),
            "by_route": dict(self._routes),
            "skipped": dict(self._skipped),
            "filtered": self._filtered,
            "done_before": self._done_before,
            "request_bytes": self._request_bytes,
            "recorded_answer_bytes": self._answer_bytes,
            "from": None if first_ns is None else _iso(first_ns),
            "until": None if first_ns is None else _iso(self._last_ns),
            "arrival_seconds": None if arrival_s is None else round(arrival_s, 3),
            "hints": self._obstacles.hints() + mid_stream_hint(mid_stream),
        }


def _iso(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, UTC).isoformat()
