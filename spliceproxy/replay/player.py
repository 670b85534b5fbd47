"""Does on a live connection what a recorded one did; one player for each copy of each."""

import time
from typing import TYPE_CHECKING

import trio

from spliceproxy.replay.live_connection import LiveConnection
from spliceproxy.replay.live_values import AnswerValues
from spliceproxy.replay.play_queue import PLAYER_BYTES, PlayQueue
from spliceproxy.replay.replay_context import ReplayContext
from spliceproxy.replay.replay_options import Pace
from spliceproxy.replay.replay_steps import ReplayStep, StepKind
from spliceproxy.replay.replay_tally import Outcome, PlayResult
from spliceproxy.replay.replay_target import PlayFailedError
from spliceproxy.replay.replayed_copy import ReplayedCopy

if TYPE_CHECKING:
    from spliceproxy.replay.dispatcher import PlayedConnection

_MOST_JOINED_BYTES = 64 << 10
"""Pieces become one send up to this size: a call costs as much as copying some 50 KiB."""


class Player:
    """Has a queue of steps, and waits for each as the pace says."""

    def __init__(self, context: ReplayContext, connection: "PlayedConnection", copy: int) -> None:
        self.queue = PlayQueue(context.ahead)
        self.result = PlayResult(str(connection.id), copy)
        self._context = context
        self._options = context.options
        self._connection = connection
        self._scope = trio.CancelScope()
        substitution = context.substitution
        self._values = None if substitution is None else substitution.live(connection.id, copy)
        self._forgiven_bytes = 0
        """Of answers that did not come; nobody waits for them again."""
        self._why_skipped = ""
        self._expects_reset = False
        self.begins_s = context.timetable.begins_s(connection.began_ns)
        """When it is to begin, on Trio's clock."""
        self.is_over = False
        self._has_waited = False
        """For its step: others had their turns."""
        self._has_begun = False
        context.ahead.hold(PLAYER_BYTES)
        context.tally.due(self.begins_s)

    def skip(self, reason: str) -> None:
        """Give it up, and break it off if it is live: the capture has not enough of it."""
        self._why_skipped = reason
        if self._has_begun:
            self._scope.cancel()
        elif not self.is_over:
            self.end_unbegun("skipped", reason)

    def end_unbegun(self, outcome: Outcome, reason: str) -> None:
        """End it before it has begun."""
        self.result.outcome, self.result.reason = outcome, reason
        self._end()

    def begin(self) -> None:
        """It is about to `play`."""
        self._has_begun = True
        self.hold_nothing()

    def hold_nothing(self) -> None:
        """It does not wait any more."""
        self._context.ahead.release(PLAYER_BYTES)

    def _end(self) -> None:
        self.is_over = True
        self.queue.discard()
        self._connection.ended(self)

    async def play(self) -> None:
        """Do it all; the result tells how it went."""
        result, context = self.result, self._context
        began_s = trio.current_time()
        result.began_s = time.time()
        context.tally.began(began_s)
        if self._options.pace is not Pace.MAX:
            self._note_lag(self.begins_s)
        try:
            with self._scope:
                await self._connect_and_play()
                result.outcome = "replayed"
        except PlayFailedError as problem:
            result.outcome, result.reason = "failed", problem.reason
        finally:
            if self._scope.cancelled_caught:
                result.outcome, result.reason = "skipped", self._why_skipped
            result.duration_s = trio.current_time() - began_s
            context.line.leave()
            self._end()

    async def _connect_and_play(self) -> None:
        try:
            sock = await self._context.target.connect()
        except PlayFailedError as problem:
            self._context.connected(problem.reason)
            raise
        self._context.connected("")
        copy = self._open_copy()
        context, stall_timeout_s = self._context, self._options.stall_timeout_s
        live = LiveConnection(
            sock, context.readable, context.deadlines, stall_timeout_s, copy, self._values
        )
        failure, is_done = await self._play_on(live, copy)
        if failure:
            raise PlayFailedError(failure)
        if is_done and live.end == "reset" and not self._expects_reset:
            raise PlayFailedError("reset")

    async def _play_on(self, live: LiveConnection, copy: ReplayedCopy | None) -> tuple[str, bool]:
        failure, is_done = "interrupted", False
        try:
            await self._perform_all(live)
            failure, is_done = "", True
        except PlayFailedError as problem:
            failure = problem.reason
        finally:
            if not is_done:
                live.break_off()
            live.close()
            self.result.sent_bytes = live.sent_bytes
            self.result.answer_bytes = live.received_bytes
            if copy is not None:
                copy.closed(self._why_skipped or failure or "closed")
        return failure, is_done

    def _open_copy(self) -> ReplayedCopy | None:
        writer = self._context.writer
        if writer is None:
            return None
        recorded = self._connection.facts
        facts = {name: told for name, told in recorded.items() if name in ("route", "client")}
        facts |= {"backend": str(self._options.target), "replay_of": self.result.id}
        return ReplayedCopy(writer, facts | {"copy": self.result.copy})

    async def _perform_all(self, live: LiveConnection) -> None:
        while (step := await self._next_step()) is not None:
            self._has_waited = False
            await self._wait_until_due(step)
            if self._options.pace is Pace.ANSWERS or step.kind is not StepKind.SEND:
                await self._wait_for_answers(live, step)
            self.result.recorded_answer_bytes = step.answer_bytes
            await self._perform(live, step)
            if step.kind in (StepKind.RESET, StepKind.OVER):
                break
        else:
            self._context.tally.without_end += 1
        if not self._expects_reset:
            live.finish()
            await self._wait_for_end(live)

    async def _next_step(self) -> ReplayStep | None:
        if not self.queue.is_empty:
            return await self.queue.head()
        line = self._context.line
        line.starving += 1
        self._context.ahead.notice()
        try:
            return await self.queue.head()
        finally:
            line.starving -= 1

    async def _wait_until_due(self, step: ReplayStep) -> None:
        if self._options.pace is not Pace.TIMED:
            return
        due_s = self._context.timetable.due_s(self._connection.began_ns, step.time_ns)
        await trio.sleep_until(due_s)
        self._has_waited = True
        if step.kind is StepKind.SEND:
            self._note_lag(due_s)

    def _note_lag(self, due_s: float) -> None:
        lag_s = max(0.0, trio.current_time() - due_s)
        self._context.tally.lags.note(lag_s)
        self.result.lag_s = max(self.result.lag_s, lag_s)

    async def _wait_for_answers(self, live: LiveConnection, step: ReplayStep) -> None:
        wanted = step.answer_bytes - self._forgiven_bytes
        if live.received_bytes >= wanted:
            return
        self._has_waited = True
        if not await live.wait_for_answers(wanted, self._options.answer_timeout_s):
            self._context.tally.answer_timeouts += 1
        self._forgiven_bytes += max(0, wanted - live.received_bytes)

    async def _perform(self, live: LiveConnection, step: ReplayStep) -> None:
        count = 1
        match step.kind:
            case StepKind.SEND if self._values is not None and step.spots:
                await live.send(await self._filled(live, step, self._values))
                self.result.recorded_answer_bytes = step.answer_bytes
            case StepKind.SEND:
                count = await self._send(live)
            case StepKind.FINISH:
                live.finish()
            case StepKind.RESET:
                self._expects_reset = True
                await live.reset()
            case StepKind.AWAIT_END:
                self._expects_reset |= step.is_reset
                await self._wait_for_end(live)
        self.queue.done(count)
        if not (self._has_waited or self.queue.is_empty):  # else it is about to wait anyway
            await trio.lowlevel.checkpoint()

    async def _send(self, live: LiveConnection) -> int:
        pace, most_bytes = self._options.pace, _MOST_JOINED_BYTES
        if pace is Pace.TIMED:
            most_bytes = 0
        answers = live.received_bytes + self._forgiven_bytes
        steps = self.queue.sendable(most_bytes, answers if pace is Pace.ANSWERS else float("inf"))
        await live.send(steps[0].data if len(steps) == 1 else b"".join(s.data for s in steps))
        self.result.recorded_answer_bytes = steps[-1].answer_bytes
        return len(steps)

    async def _filled(self, live: LiveConnection, step: ReplayStep, values: AnswerValues) -> bytes:
        if live.received_bytes + self._forgiven_bytes >= step.answer_bytes:
            values.settle()
        return await values.filled(step.data, step.spots, self._options.answer_timeout_s)

    async def _wait_for_end(self, live: LiveConnection) -> None:
        if not live.end and not await live.wait_for_end(self._options.answer_timeout_s):
            self._context.tally.ends_missing += 1
