"""When what is due: recorded times on the clock of this replay."""

import time

import trio

from spliceproxy.replay.replay_options import Pace, ReplayOptions


class Timetable:
    """Starts with the first connection that is replayed, or at a time that several agree on."""

    def __init__(self, options: ReplayOptions) -> None:
        self.start_s = trio.current_time()
        if options.start_at_s is not None:
            self.start_s += max(0.0, options.start_at_s - time.time())
        self.first_ns: int | None = None
        """When the first connection began in the capture."""
        self._arrival = 0.0 if options.pace is Pace.MAX else options.arrival
        self._think = options.think
        is_timed = options.pace is Pace.TIMED
        self._soonest = min(self._arrival, self._think) if is_timed else 0.0
        self._waits_for_start = options.start_at_s is not None

    def begin(self, first_ns: int) -> None:
        """The first connection is known."""
        if self.first_ns is None:
            self.first_ns = first_ns
            if not self._waits_for_start:
                self.start_s = trio.current_time()

    def begins_s(self, began_ns: int) -> float:
        """Return when a connection is to begin, on Trio's clock."""
        first_ns = began_ns if self.first_ns is None else self.first_ns
        return self.start_s + self._arrival * (began_ns - first_ns) / 1e9

    def soonest_s(self, time_ns: int) -> float:
        """Return a time before which nothing is due that was recorded then, on whatever connection.

        With pace `timed`; else a target that answers faster may want it at once.
        """
        first_ns = time_ns if self.first_ns is None else self.first_ns
        return self.start_s + self._soonest * (time_ns - first_ns) / 1e9

    def due_s(self, began_ns: int, time_ns: int) -> float:
        """Return when a step of a connection is due."""
        return self.begins_s(began_ns) + self._think * (time_ns - began_ns) / 1e9
