"""Deadlines by the thousand: setting and cancelling one costs a dictionary entry.

Almost every deadline of a proxy is cancelled before it is due, so they sit unsorted in slots;
only the slots' numbers are kept in order. A slot is as wide as a small part of the delay, so
there are few of them however long the delays are.
"""

import heapq
import math
import time
from typing import Protocol

import trio

_FINEST_SLOT_S = 0.010
_SLOTS_PER_DELAY = 32  # a deadline fires at most this part of its delay late


class Waiter(Protocol):
    """What has a deadline."""

    def on_deadline(self) -> None:
        """Act; the deadline has passed."""

    def on_crash(self, error: Exception) -> None:
        """End what was being done: acting failed in a way that nobody foresaw."""


class Timer:
    """One deadline; it may be cancelled at any time, also after it has fired."""

    __slots__ = ("_slot", "_waiter")

    def __init__(self, slot: dict["Timer", None], waiter: Waiter) -> None:
        self._slot = slot
        self._waiter: Waiter | None = waiter
        slot[self] = None

    def cancel(self) -> None:
        """Forget the deadline, and the waiter: the two know each other, and are to be freed now."""
        self._slot.pop(self, None)
        self._waiter = None

    def fire(self) -> None:
        """Tell the waiter that its time has come."""
        waiter = self._waiter
        if waiter is None:
            return
        try:
            waiter.on_deadline()
        except Exception as error:
            waiter.on_crash(error)


class TimerWheel:
    """Tells waiters when their time has come."""

    def __init__(self) -> None:
        self._slots: dict[int, dict[Timer, None]] = {}
        self._order: list[int] = []
        self._sleep: trio.CancelScope | None = None
        self._sleeps_until_s = math.inf

    def after(self, delay_s: float, waiter: Waiter) -> Timer:
        """Call ``waiter.on_deadline`` once, ``delay_s`` seconds from now or a little later."""
        slots_wide = 1 << max(
            0, int(delay_s / (_SLOTS_PER_DELAY * _FINEST_SLOT_S)).bit_length() - 1
        )
        width_s = slots_wide * _FINEST_SLOT_S
        number = math.ceil((time.monotonic() + delay_s) / width_s) * slots_wide
        slot = self._slots.get(number)
        if slot is None:
            slot = self._slots[number] = {}
            heapq.heappush(self._order, number)
            if number * _FINEST_SLOT_S < self._sleeps_until_s and self._sleep is not None:
                self._sleep.cancel()
        return Timer(slot, waiter)

    def fire(self) -> None:
        """Tell all whose time has come."""
        now_s = time.monotonic()
        while self._order and self._order[0] * _FINEST_SLOT_S <= now_s:
            slot = self._slots.pop(heapq.heappop(self._order))
            while slot:
                slot.popitem()[0].fire()

    async def sleep(self) -> None:
        """Sleep until the next deadline, also one that is set meanwhile."""
        while self._order and not self._slots[self._order[0]]:
            del self._slots[heapq.heappop(self._order)]
        self._sleeps_until_s = self._order[0] * _FINEST_SLOT_S if self._order else math.inf
        with trio.CancelScope() as self._sleep:
            await trio.sleep(max(0.0, self._sleeps_until_s - time.monotonic()))
        self._sleep = None
