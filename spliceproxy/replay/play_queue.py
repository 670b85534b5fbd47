"""Steps on their way from the capture to players, within a bound for all of them."""

from collections import deque

import trio

from spliceproxy.replay.replay_steps import ReplayStep, StepKind

STEP_BYTES = 512
"""What a step takes without its data, in all copies' queues: objects, and entries of a deque."""
PLAYER_BYTES = 4 << 10
"""What a player takes that has not begun; most of it is an empty deque, and the facts."""


class ReadAhead:
    """How much of the capture has been read and is not replayed yet; the reader waits for room."""

    def __init__(self, limit_bytes: int) -> None:
        self.held_bytes = 0
        self.most_bytes = 0
        """That were ever held."""
        self._limit_bytes = limit_bytes
        self._news = trio.Event()

    @property
    def is_full(self) -> bool:
        """Whether nothing more is to be read; the last event may have gone over the limit."""
        return self.held_bytes >= self._limit_bytes

    def hold(self, count: int) -> None:
        """Count bytes in."""
        self.held_bytes += count
        if self.held_bytes > self.most_bytes:
            self.most_bytes = self.held_bytes

    def release(self, count: int) -> None:
        """Count bytes out."""
        self.held_bytes -= count
        if not self.is_full:
            self._news.set()

    def notice(self) -> None:
        """A player can do nothing now: let the reader look whether it waits in vain."""
        self._news.set()

    async def wait(self) -> None:
        """Return when there is room, or news; there is one waiter only."""
        await self._news.wait()
        self._news = trio.Event()


class PlayQueue:
    """Of one player; what is in it is held until the step has been done."""

    def __init__(self, ahead: ReadAhead) -> None:
        self._ahead = ahead
        self._steps: deque[ReplayStep] = deque()
        self._is_closed = False
        self._is_discarded = False
        self._more: trio.Event | None = None  # somebody waits for it

    @property
    def is_empty(self) -> bool:
        """Whether the player would have to wait."""
        return not self._steps and not self._is_closed

    def put(self, step: ReplayStep) -> None:
        """Add a step; `holders` says how many queues get it, which hold its data once."""
        if self._is_discarded:
            self._ahead.release(_let_go(step))
            return
        self._ahead.hold(STEP_BYTES)
        self._steps.append(step)
        if self._more is not None:
            self._wake()

    def close(self) -> None:
        """No more steps come."""
        self._is_closed = True
        if self._more is not None:
            self._wake()

    async def head(self) -> ReplayStep | None:
        """Wait for the next step, which stays where it is; None: there are no more."""
        while not self._steps:
            if self._is_closed:
                return None
            self._more = trio.Event()
            await self._more.wait()
        return self._steps[0]

    def _wake(self) -> None:
        if self._more is not None:
            self._more.set()
            self._more = None

    def sendable(self, most_bytes: int, answer_bytes: float) -> list[ReplayStep]:
        """Return what may be sent at once: the head, and pieces behind it that may go along."""
        waiting = iter(self._steps)
        steps = [next(waiting)]
        room = most_bytes - len(steps[0].data)
        for step in waiting:
            room -= len(step.data)
            is_due = step.kind is StepKind.SEND and step.answer_bytes <= answer_bytes
            if room < 0 or not is_due or step.spots:
                break
            steps.append(step)
        return steps

    def done(self, count: int) -> None:
        """Drop steps that have been done."""
        released_bytes = STEP_BYTES * count
        for _ in range(count):
            released_bytes += _let_go(self._steps.popleft())
        self._ahead.release(released_bytes)

    def discard(self) -> None:
        """Drop all, now and from now on."""
        self._is_discarded = True
        self.done(len(self._steps))
        self.close()

    @property
    def held_bytes(self) -> int:
        """What would come free, at least."""
        return sum(STEP_BYTES + len(step.data) for step in self._steps)


def _let_go(step: ReplayStep) -> int:
    """One queue less has it; returns how many bytes come free."""
    step.holders -= 1
    return 0 if step.holders else len(step.data)
