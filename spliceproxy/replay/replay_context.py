"""What all players of a replay share."""

import sqlite3

import trio

from spliceproxy.capture import ConnectionId
from spliceproxy.capture.writer import CaptureWriter
from spliceproxy.errors import one_line
from spliceproxy.loop.timers import TimerWheel
from spliceproxy.replay.checkpoint import Checkpoint
from spliceproxy.replay.obstacles import Obstacles, mid_stream_hint
from spliceproxy.replay.play_queue import ReadAhead
from spliceproxy.replay.readable_sockets import ReadableSockets
from spliceproxy.replay.replay_options import ReplayOptions
from spliceproxy.replay.replay_report import ReplayReport
from spliceproxy.replay.replay_tally import PlayResult, ReplayTally
from spliceproxy.replay.replay_target import ReplayTarget
from spliceproxy.replay.start_line import StartLine
from spliceproxy.replay.substitution import Substitution
from spliceproxy.replay.timetable import Timetable

_FIRST_CONNECTIONS = 20
"""If all of so many are refused, nobody is there."""


class ReplayContext:
    """Belongs to one run; `scope` is cancelled when it is to stop."""

    def __init__(
        self,
        options: ReplayOptions,
        target: ReplayTarget,
        writer: CaptureWriter | None,
        checkpoint: Checkpoint | None,
        report: ReplayReport | None,
    ) -> None:
        self.options = options
        self.target = target
        self.writer = writer
        self.checkpoint = checkpoint
        self.report = report
        self.scope = trio.CancelScope()
        self.timetable = Timetable(options)
        self.tally = ReplayTally()
        self.ahead = ReadAhead(options.read_ahead_bytes)
        self.readable = ReadableSockets()
        self.deadlines = TimerWheel()
        self.line = StartLine(options.max_connections)
        self.obstacles = Obstacles()
        self.substitution: Substitution | None = None
        if options.substitutes:
            across = options.substitutes_across
            self.substitution = Substitution(options.substitutes, options.copies, across=across)
        self.stopped_by = ""
        """What ends it early, in words; empty if nothing does."""
        self._connects = 0
        self._has_connected = False
        self._why_not = ""

    def connected(self, reason: str) -> None:
        """A connect has ended, for a reason if it failed."""
        if self._has_connected:
            return
        self._connects += 1
        self._has_connected, self._why_not = not reason, reason
        is_first = self._connects == _FIRST_CONNECTIONS and not self.options.keeps_going
        if is_first and not self._has_connected:
            self.stop(
                f"the first {_FIRST_CONNECTIONS} connections to {self.options.target} failed"
                f" ({reason}); is it the right address? --keep-going goes on all the same"
            )

    @property
    def unreached(self) -> str:
        """What to say if the target has never been reached; else nothing."""
        if self._has_connected or not self._connects:
            return ""
        failed = f"no connection to {self.options.target} was made ({self._why_not})"
        return f"{failed}; see that something listens there"

    def hints(self) -> list[str]:
        """Return what the user should know, a line each."""
        skipped = self.tally.skipped["mid_stream"] // self.options.copies
        hints = self.obstacles.hints() + mid_stream_hint(skipped)
        return hints if self.substitution is None else hints + self.substitution.hints()

    def stop(self, why: str) -> None:
        """End early."""
        self.stopped_by = self.stopped_by or one_line(why)
        self.scope.cancel()

    def ended(self, result: PlayResult) -> None:
        """A player is done."""
        self.tally.ended(result)
        if self.report is not None:
            self.report.add(result)
            if self.report.is_due:
                self.keep()

    def settle(self, connection: ConnectionId) -> None:
        """A connection need not be replayed again."""
        if self.checkpoint is not None:
            self.checkpoint.settle(connection)

    def keep(self) -> None:
        """Write what is to be kept; end early if that can't be done."""
        try:
            if self.checkpoint is not None:
                self.checkpoint.write()
            if self.report is not None:
                self.report.flush()
            if self.writer is not None:
                self.writer.flush()
                if self.writer.failure is not None:
                    raise self.writer.failure
        except (OSError, sqlite3.Error) as problem:
            self.stop(f"what is to be kept can't be written: {problem}")
