"""One line on a terminal that tells how far a replay is."""

import sys
from typing import TYPE_CHECKING

import trio

from spliceproxy.capture import Capture
from spliceproxy.capture.segment import open_segment
from spliceproxy.errors import UsageProblem
from spliceproxy.replay.announce import ERASE
from spliceproxy.replay.replay_context import ReplayContext
from spliceproxy.replay.replay_options import Pace

if TYPE_CHECKING:
    from spliceproxy.replay.dispatcher import Dispatcher


def last_time_ns(capture: Capture) -> int | None:
    """Return when a capture ends, by the indexes of its last segments; None: not all have one."""
    last_of = {name.writer: name for name in sorted(capture.names(), key=lambda n: n.number)}
    last_ns = 0
    for name in last_of.values():
        try:
            segment = open_segment(capture.path / name.text)
        except (OSError, UsageProblem):
            return None
        try:
            index, header = segment.index(), capture.clocks.corrected(segment.header)
        finally:
            segment.close()
        if index is None:
            return None
        for entry in index:
            last_ns = max(last_ns, entry.last_ns - header.monotonic_ns + header.wall_ns)
    return last_ns or None


class Progress:
    """Rewrites its line; nothing else is written to the terminal meanwhile."""

    def __init__(
        self, context: ReplayContext, dispatcher: "Dispatcher", last_ns: int | None
    ) -> None:
        self._context = context
        self._dispatcher = dispatcher
        self._last_ns = last_ns
        self._began_s = trio.current_time()

    def show(self) -> None:
        """Write the line anew."""
        print(ERASE + self.line(), end="", file=sys.stderr, flush=True)  # noqa: T201

    def end(self) -> None:
        """Erase it."""
        print(ERASE, end="", file=sys.stderr, flush=True)  # noqa: T201

    def line(self) -> str:
        """Return what there is to tell."""
        tally = self._context.tally
        mib = (tally.sent_bytes + tally.answer_bytes) / (1 << 20)
        parts = [
            f"{tally.begun} connections, {self._context.line.live} live",
            f"{mib:.1f} MiB",
            f"{_rate(tally.reached_rate)}/s of {_rate(tally.wanted_rate)}/s",
            f"lag p99 {tally.lags.percentile_s(0.99) * 1000:.1f} ms",
            f"{tally.outcomes['failed']} failed",
        ]
        left_s = self._left_s()
        if left_s is not None:
            parts.append(f"{left_s:.0f}s left")
        return ", ".join(parts)

    def _left_s(self) -> float | None:
        timetable, read_ns = self._context.timetable, self._dispatcher.read_ns
        first_ns, last_ns = timetable.first_ns, self._last_ns
        if first_ns is None or last_ns is None or read_ns is None:
            return None
        now_s = trio.current_time()
        if self._context.options.pace is Pace.TIMED:
            return max(0.0, timetable.begins_s(last_ns) - now_s)
        if read_ns <= first_ns:
            return None
        return max(0.0, (now_s - self._began_s) * (last_ns - read_ns) / (read_ns - first_ns))


def _rate(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.1f}"
