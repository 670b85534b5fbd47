"""Reads a capture once, in the order of time, and hands its events to players."""

from collections.abc import Generator, Iterator
from itertools import islice
from typing import cast

import trio

from spliceproxy.capture import Capture, Closed, ConnectionId, Data, Event, Opened
from spliceproxy.replay.obstacles import ConnectionStart
from spliceproxy.replay.player import Player
from spliceproxy.replay.replay_context import ReplayContext
from spliceproxy.replay.replay_steps import ReplayStep, StepMaker
from spliceproxy.replay.replay_tally import PlayResult

_BATCH_EVENTS = 1024
_BATCH_BYTES = 1 << 20
"""A hop to a thread costs some 100 µs, which a batch makes little of; the disk may block there."""
_BURST = 64
"""An event takes some 20 µs; after so many the players get their turns, so as not to be late."""


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
        values = self._values
        for each in (event,) if values is None else values.take(event):
            self._make_step(each)

    def _make_step(self, event: Event) -> None:
        step = self.maker.step(event)
        if step is not None:
            if self._values is not None and step.data:
                step.spots = self._values.spots(step.data)
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
        for rest in () if self._values is None else self._values.rest():
            self._make_step(rest)
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
        self._live: dict[ConnectionId, PlayedConnection | None] = {}  # None: not replayed

    async def run(self) -> None:
        """Read it to its end."""
        # Its files are closed with it.
        events = cast("Generator[Event]", self._capture.events())
        try:
            while batch := await trio.to_thread.run_sync(_read_batch, events):
                for number, event in enumerate(batch):
                    await self._wait_for_room()
                    self._take(event)
                    if number % _BURST == _BURST - 1:
                        await trio.lowlevel.checkpoint()
        finally:
            events.close()
        for connection in self._live.values():
            if connection is not None:
                connection.close()
        self._context.line.close()

    async def _wait_for_room(self) -> None:
        ahead, line = self._context.ahead, self._context.line
        while ahead.is_full:
            # Those that are live would never be fed while those that wait have all the room.
            if not (line.is_stuck and line.give_up_largest()):
                await ahead.wait()

    def _take(self, event: Event) -> None:
        self.read_ns = event.time_ns
        if event.connection not in self._live:
            self._live[event.connection] = self._begin(event)
        else:
            self._go_on(event)
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

    def _go_on(self, event: Event) -> None:
        connection = self._live[event.connection]
        if connection is None:
            return
        connection.take(event)
        if connection.maker.why_incomplete and not self._context.options.sends_incomplete:
            connection.skip(connection.maker.why_incomplete)
            self._live[event.connection] = None


def _read_batch(events: Iterator[Event]) -> list[Event]:
    batch: list[Event] = []
    size = 0
    for event in islice(events, _BATCH_EVENTS):
        batch.append(event)
        if isinstance(event, Data):
            size += len(event.data)
            if size >= _BATCH_BYTES:
                break
    return batch
