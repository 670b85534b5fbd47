"""Reads a capture once, in the order of time, and hands its events to players."""

from collections.abc import Generator
from typing import cast

import trio

from spliceproxy.capture import Capture, Closed, ConnectionId, Event, Opened
from spliceproxy.replay.obstacles import ConnectionStart
from spliceproxy.replay.player import Player
from spliceproxy.replay.recorded_values import RequestValues
from spliceproxy.replay.replay_context import ReplayContext
from spliceproxy.replay.replay_options import Pace
from spliceproxy.replay.replay_steps import ReplayStep, StepMaker
from spliceproxy.replay.replay_tally import PlayResult

_BURST = 256
"""An event takes some 4 µs; after so many the players get their turns, so as not to be late."""
_AHEAD_S = 5.0
"""What is due later is not read yet: to read all at once would make late what is due meanwhile."""


class PlayedConnection:
    """A recorded connection, and the players of its copies."""

    def __init__(
        self,
        context: ReplayContext,
        id: ConnectionId,  # noqa: A002 - as in `Connection`
        began_ns: int,
        facts: dict[str, object],
        maker: StepMaker,
    ) -> None:
        self.id = id
        self.began_ns = began_ns
        self.facts = facts
        self.maker = maker
        substitution = context.substitution
        self._values = None if substitution is None else substitution.recorded(id)
        self._start: ConnectionStart | None = context.obstacles.watch()
        self._context = context
        self._open = context.options.copies
        self._is_settled = True
        self.players = [Player(context, self, copy) for copy in range(context.options.copies)]

    def take(self, event: Event) -> None:
        """Let all players do what an event asks for."""
        if self._start is not None:
            self._start.take(event)
            if self._start.is_over:
                self._start = None
        if self._values is None:
            step = self.maker.step(event)
            if step is not None:
                self.put(step)
            return
        for each in self._values.take(event):
            self._make_step(each, self._values)

    def _make_step(self, event: Event, values: RequestValues) -> None:
        step = self.maker.step(event)
        if step is not None:
            step.spots = values.spots(step.data) if step.data else ()
            self.put(step)

    def put(self, step: ReplayStep) -> None:
        """Let all players do a step."""
        step.holders = len(self.players)
        self._context.ahead.hold(len(step.data))
        for player in self.players:
            player.queue.put(step)

    def close(self) -> None:
        """No more steps come."""
        if self._start is not None:
            self._start.end()
        if self._values is not None:
            for rest in self._values.rest():
                self._make_step(rest, self._values)
        for player in self.players:
            player.queue.close()

    def skip(self, reason: str) -> None:
        """Give up all copies."""
        for player in self.players:
            player.skip(reason)

    def ended(self, player: Player) -> None:
        """A player is done."""
        self._context.ended(player.result)
        self._is_settled &= player.result.outcome in ("replayed", "skipped")
        self._open -= 1
        if not self._open and self._is_settled:
            self._context.settle(self.id)


class Dispatcher:
    """Belongs to one run."""

    def __init__(self, context: ReplayContext, capture: Capture) -> None:
        self.read_ns: int | None = None
        """How far it has read, by the capture's times."""
        self.connections = 0
        """That the capture has, as far as it has been read."""
        self._context = context
        self._capture = capture
        self._skips_incomplete = not context.options.sends_incomplete
        # Without times nobody is late, and what has come together is sent together.
        self._burst = 0 if context.options.pace is Pace.MAX else _BURST
        self._live: dict[ConnectionId, PlayedConnection | None] = {}  # None: not replayed

    async def run(self) -> None:
        """Read it to its end."""
        # Its files are closed with it. A thread reads it, where the disk may block.
        batches = cast("Generator[list[Event]]", self._capture.batches())
        try:
            while (batch := await trio.to_thread.run_sync(next, batches, None)) is not None:
                await self._take_all(batch)
        finally:
            batches.close()
        for connection in self._live.values():
            if connection is not None:
                connection.close()
        self._context.line.close()

    async def _take_all(self, batch: list[Event]) -> None:
        ahead, burst = self._context.ahead, self._burst or len(batch) + 1
        for number, event in enumerate(batch, 1):
            if ahead.is_full:
                await self._wait_for_room()
            self._take(event)
            if not number % burst:
                await trio.sleep_until(self._context.timetable.soonest_s(event.time_ns) - _AHEAD_S)

    async def _wait_for_room(self) -> None:
        ahead, line = self._context.ahead, self._context.line
        while ahead.is_full:
            # Those that are live would never be fed while those that wait have all the room.
            if not (line.is_stuck and line.give_up_largest()):
                await ahead.wait()

    def _take(self, event: Event) -> None:
        self.read_ns = event.time_ns
        connection = self._live.get(event.connection)
        if connection is not None:
            self._go_on(connection, event)
        elif event.connection not in self._live:
            self._live[event.connection] = self._begin(event)
        if isinstance(event, Closed):
            connection = self._live.pop(event.connection)
            if connection is not None:
                connection.close()

    def _begin(self, event: Event) -> PlayedConnection | None:
        context, options = self._context, self._context.options
        self.connections += 1
        checkpoint, wanted = context.checkpoint, options.wanted
        if checkpoint is not None and event.connection in checkpoint:
            context.tally.done_before += 1
            return None
        facts = event.facts if isinstance(event, Opened) else {}
        if wanted.is_in_time(event.time_ns):
            # Of those that the rest of the filter leaves out, too: machines that replay different
            # parts of a capture have one timetable.
            context.timetable.begin(event.time_ns)
        if not (wanted.is_in_time(event.time_ns) and wanted.wants(facts)):
            context.tally.filtered += 1
            context.settle(event.connection)
            return None
        maker = StepMaker()
        step = maker.step(event)
        if maker.why_incomplete and not options.sends_incomplete:
            for copy in range(options.copies):
                skipped = PlayResult(str(event.connection), copy, "skipped", maker.why_incomplete)
                context.ended(skipped)
            context.settle(event.connection)
            return None
        connection = PlayedConnection(context, event.connection, event.time_ns, facts, maker)
        for player in connection.players:
            context.line.add(player)
        if step is not None:
            connection.put(step)
        return connection

    def _go_on(self, connection: PlayedConnection, event: Event) -> None:
        connection.take(event)
        if connection.maker.why_incomplete and self._skips_incomplete:
            connection.skip(connection.maker.why_incomplete)
            self._live[event.connection] = None
