"""What a replay would do, without a connection."""

from collections import Counter
from datetime import UTC, datetime

import spliceproxy.capture
from spliceproxy.capture import Closed, ConnectionId, Opened
from spliceproxy.replay.replay_options import Pace, ReplayOptions
from spliceproxy.replay.replay_steps import StepMaker


def dry_run(options: ReplayOptions) -> dict[str, object]:
    """Read the capture, and count what would be replayed.

    Raises:
        UsageProblem: there is no capture.
    """
    capture = spliceproxy.capture.open(options.directory)
    routes: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    live: dict[ConnectionId, tuple[StepMaker, str] | None] = {}
    filtered = request_bytes = answer_bytes = 0
    first_ns, last_ns, last_begun_ns = None, 0, 0

    def settle(found: tuple[StepMaker, str] | None) -> None:
        nonlocal request_bytes, answer_bytes
        if found is None:
            return
        maker, route = found
        if maker.why_incomplete and not options.sends_incomplete:
            skipped[maker.why_incomplete] += 1
            return
        routes[route] += 1
        request_bytes += maker.request_bytes
        answer_bytes += maker.answer_bytes

    for event in capture.events():
        if event.connection not in live:
            facts = event.facts if isinstance(event, Opened) else {}
            if options.wanted.is_in_time(event.time_ns) and options.wanted.wants(facts):
                live[event.connection] = StepMaker(), str(facts.get("route", ""))
                first_ns = event.time_ns if first_ns is None else first_ns
                last_begun_ns = event.time_ns
            else:
                live[event.connection] = None
                filtered += 1
        known = live[event.connection]
        if known is not None:
            known[0].step(event)
            last_ns = event.time_ns
        if isinstance(event, Closed):
            settle(live.pop(event.connection))
    for known in live.values():
        settle(known)
    arrival_s = (last_begun_ns - (first_ns or 0)) / 1e9 * options.arrival
    return {
        "capture": str(options.directory),
        "connections": sum(routes.values()) * options.copies,
        "by_route": {route: count * options.copies for route, count in routes.items()},
        "skipped": {reason: count * options.copies for reason, count in skipped.items()},
        "filtered": filtered,
        "request_bytes": request_bytes * options.copies,
        "recorded_answer_bytes": answer_bytes * options.copies,
        "from": None if first_ns is None else _iso(first_ns),
        "until": None if first_ns is None else _iso(last_ns),
        "arrival_seconds": None if options.pace is Pace.MAX else round(max(0.0, arrival_s), 3),
        "unreadable": [f"{problem.path}: {problem.what}" for problem in capture.unreadable],
    }


def _iso(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, UTC).isoformat()
