"""One epoll set, and one Trio task that calls back for its events.

Awaiting each socket in a Trio task of its own costs about 90 µs of CPU for a request and its
answer; awaiting one epoll descriptor and calling plain functions for a whole batch costs a third.
"""

import select
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import trio

from spliceproxy.kernel.sockets import Socket, close_all
from spliceproxy.loop.timers import TimerWheel

_BATCH_EVENTS = 256
_BATCH_LENGTHS = 32  # of up to half an hour
_TURN_S = 0.005
"""After so long Trio's other tasks get their turn, however busy the sockets are."""
_LINGER_S = 0.001
"""So long the reactor itself waits for the next event before it goes back to Trio, which costs
more than a whole request does. Trio's other tasks wait as long at most (epoll_wait(2) counts
in milliseconds)."""


class Watcher(Protocol):
    """What has a descriptor in the epoll set."""

    def on_events(self, events: int) -> None:
        """Act on a mask of ``select.EPOLL*``."""

    def on_crash(self, error: Exception) -> None:
        """End what was being done: acting failed in a way that nobody foresaw."""


class Reactor:
    """Calls watchers for their descriptors' events, and waiters at their deadlines.

    Level-triggered: an event that is not acted on comes again. Edge-triggering would need a
    failing call to learn that a socket is empty, which costs more than the useful one.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watchers: dict[int, Watcher] = {}
        self._to_close: list[Socket] = []
        self._forks = False
        self._at_batch_end: list[Callable[[], None]] = []
        self._at_turn_end: list[Callable[[], None]] = []
        self._in_turn = False
        self._in_batch = False
        self.batches = [0] * _BATCH_LENGTHS
        """How many batches took less than 1, 2, 4, 8, … microseconds, and not less than half."""
        self.busy_s = 0.0
        """What all batches took."""
        self.timers = TimerWheel()
        self.now_s = time.monotonic()

    def register(self, fd: int, events: int, watcher: Watcher) -> None:
        """Start to watch a descriptor."""
        self._epoll.register(fd, events)
        self._watchers[fd] = watcher

    def modify(self, fd: int, events: int) -> None:
        """Change what a descriptor is watched for."""
        self._epoll.modify(fd, events)

    def hand_over(self, fd: int, events: int, watcher: Watcher) -> None:
        """Give a watched descriptor to another watcher."""
        self._epoll.modify(fd, events)
        self._watchers[fd] = watcher

    def unregister(self, fd: int) -> None:
        """Stop watching; events of this batch that are still to come for it are dropped."""
        self._epoll.unregister(fd)
        del self._watchers[fd]

    def retire(self, fd: int) -> None:
        """Stop watching a descriptor that is closed at the end of this batch (`close_later`).

        The close takes it out of the epoll set: there is no duplicate of it (epoll(7), questions
        and answers, 6).
        """
        del self._watchers[fd]
        if self._forks:
            self._epoll.unregister(fd)

    def expect_forks(self) -> None:
        """Take descriptors out of the epoll set before they are closed, from now on.

        A child has a duplicate of each until it executes its program. Events of what is closed here
        would come all the while, and reach whoever has got its number by then.
        """
        self._forks = True
        for sock in self._to_close:
            with suppress(OSError):  # ENOENT: it has left the set before
                self._epoll.unregister(sock.fileno())

    def close_later(self, sock: Socket) -> None:
        """Close an unregistered or retired socket when the batch is over.

        Its number is thereby not given out again while the batch may hold an event for it.
        """
        self._to_close.append(sock)

    def at_batch_end(self, callback: Callable[[], None]) -> None:
        """Call back once when the batch is over; at once if there is none under way.

        The callback must not fail: it concerns nobody in particular.
        """
        if self._in_batch:
            self._at_batch_end.append(callback)
        else:
            callback()

    def at_turn_end(self, callback: Callable[[], None]) -> None:
        """Call back once when no event waits, or the turn's time is up; else as `at_batch_end`.

        For what costs the same for one connection and for all that get so far in a turn.
        """
        if self._in_turn:
            self._at_turn_end.append(callback)
        else:
            self.at_batch_end(callback)

    def refresh_clock(self) -> None:
        """Set `now_s`; for callers outside of a batch."""
        self.now_s = time.monotonic()

    async def run(self) -> None:
        """Serve events until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._serve_deadlines)
            while True:
                await trio.lowlevel.wait_readable(self._epoll.fileno())
                self._take_turn()

    async def _serve_deadlines(self) -> None:
        while True:
            await self.timers.sleep()
            self.refresh_clock()
            self._in_batch = True
            self.timers.fire()
            self.end_batch()

    def _take_turn(self) -> None:
        turn_ends_s = time.monotonic() + _TURN_S
        self._in_turn = True
        while events := self._next_events():
            self.now_s = time.monotonic()
            self._in_batch = True
            self._call_watchers(events)
            self.end_batch()
            took_s = time.monotonic() - self.now_s
            self.busy_s += took_s
            self.batches[min(int(took_s * 1e6).bit_length(), _BATCH_LENGTHS - 1)] += 1
            if self.now_s > turn_ends_s:
                break
        self._in_turn = False
        self._call_at_turn_end()

    def _next_events(self) -> list[tuple[int, int]]:
        """Wait for events, a little; empty: there are none."""
        if self._at_turn_end:
            events = self._epoll.poll(0, _BATCH_EVENTS)
            if events:
                return events
            self._call_at_turn_end()
        return self._epoll.poll(_LINGER_S, _BATCH_EVENTS)

    def _call_at_turn_end(self) -> None:
        callbacks, self._at_turn_end = self._at_turn_end, []
        for callback in callbacks:
            callback()

    def _call_watchers(self, events: list[tuple[int, int]]) -> None:
        watchers = self._watchers
        for fd, mask in events:
            watcher = watchers.get(fd)
            if watcher is None:  # unregistered earlier in this batch
                continue
            try:
                watcher.on_events(mask)
            except Exception as error:
                watcher.on_crash(error)

    def end_batch(self) -> None:
        """End the batch: close and call back what was to wait for that.

        Callers that act outside of a batch call it themselves.
        """
        self._in_batch = False
        if self._at_batch_end:
            callbacks, self._at_batch_end = self._at_batch_end, []
            for callback in callbacks:
                callback()
        if self._to_close:
            to_close, self._to_close = self._to_close, []
            close_all(to_close)

    def close(self) -> None:
        """Close the epoll set and what was to be closed later."""
        self.end_batch()
        self._call_at_turn_end()
        self._epoll.close()
