"""How one end of a ring tells the other about bytes: a count that only one side adds to.

Memory ordering. The bytes are copied into shared memory first and announced afterwards. Whoever
sees the announcement must also see the bytes, and neither CPython nor a plain store promises that.

- `EventfdCounter` works on every machine. The announcement itself travels through the kernel:
  eventfd_write(2) adds to a counter and eventfd_read(2) takes it, both under one lock
  (fs/eventfd.c), whose release and acquire order the copies before and after it, on ARM as on
  x86. No position is ever read from the shared memory, so there is nothing that could be seen too
  early: a reader that looked at a position instead could meet, on ARM, the position of bytes whose
  stores it does not see yet.
- `PolledCounter` makes no system call while the other end is busy, and relies on x86. There all
  stores become visible in the order in which they were made, and loads are not moved before
  earlier loads (Intel SDM volume 3, section 8.2); glibc's memcpy puts a fence behind the
  non-temporal stores that it uses for large copies. The announcement is one aligned 8-byte store
  through a memoryview of format Q; CPython makes it with a memcpy of 8 bytes, which compilers turn
  into one instruction, and which is not torn where aligned. That is how CPython is built, not
  what it promises. On ARM both halves may be reordered and Python has no fence to prevent it, so
  `require_ordered_stores` refuses.
"""

from __future__ import annotations

import os
import platform
import select
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Protocol

from tools.companions.ring.errors import RingError

CLOSED = 1 << 63
"""Added to a count when its side is done. A count stays below: 2**63 bytes take a century."""

_SPINS = 200  # about 20 µs of looking before the first sleep
_SHORTEST_SLEEP_S = 20e-6  # while one end sleeps the other fills or empties the ring and sleeps too
_LONGEST_SLEEP_S = 0.001  # the bound on how late a sleeping end is
_ORDERED_MACHINES = frozenset({"x86_64", "i686", "i586", "i386"})


class Counter(Protocol):
    """One side adds to it and at last closes it, the other takes what was added."""

    is_closed: bool
    """Whether the adding side was seen to be done. Bytes taken in the same call still count."""

    def add(self, count: int) -> None:
        """Announce bytes (or room) that are there now."""

    def close(self) -> None:
        """Announce that nothing follows."""

    def take(self) -> int:
        """What was added since the last call, without waiting."""

    def wait(self, peer_fd: int, timeout_s: float) -> bool:
        """Wait until `take` has something to tell; False when the peer ended or time is up."""


class EventfdCounter:
    """A count kept by the kernel; the waiting side sleeps in poll(2)."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.is_closed = False

    def add(self, count: int) -> None:
        if count:
            os.eventfd_write(self._fd, count)

    def close(self) -> None:
        os.eventfd_write(self._fd, CLOSED)

    def take(self) -> int:
        with suppress(BlockingIOError):
            added = os.eventfd_read(self._fd)
            self.is_closed = self.is_closed or added >= CLOSED
            return added % CLOSED
        return 0

    def wait(self, peer_fd: int, timeout_s: float) -> bool:
        return self._fd in _readable((self._fd, peer_fd), timeout_s)


class PolledCounter:
    """A running total in shared memory; the waiting side looks often, then ever more rarely.

    `word` is 8 bytes of shared memory in format Q, aligned, and in a cache line of its own.
    """

    def __init__(self, word: memoryview) -> None:
        self._word = word
        self._added = 0  # by this process, where it is the adding side
        self._taken = 0
        self.is_closed = False

    def add(self, count: int) -> None:
        self._added += count
        self._word[0] = self._added

    def close(self) -> None:
        self._word[0] = self._added + CLOSED

    def take(self) -> int:
        seen = self._word[0]
        self.is_closed = seen >= CLOSED
        added = seen % CLOSED - self._taken
        self._taken += added
        return added

    def _has_news(self) -> bool:
        seen = self._word[0]
        return seen % CLOSED != self._taken or (seen >= CLOSED and not self.is_closed)

    def wait(self, peer_fd: int, timeout_s: float) -> bool:
        for _ in range(_SPINS):
            if self._has_news():
                return True
        deadline_s = time.monotonic() + timeout_s
        sleep_s = _SHORTEST_SLEEP_S
        while time.monotonic() < deadline_s and not has_ended(peer_fd):
            time.sleep(sleep_s)
            if self._has_news():
                return True
            sleep_s = min(2 * sleep_s, _LONGEST_SLEEP_S)
        return self._has_news()


def has_ended(peer_fd: int) -> bool:
    """Whether the process behind a pidfd has ended (pidfd_open(2): it is readable then)."""
    return bool(_readable((peer_fd,), 0))


def _readable(fds: Iterable[int], timeout_s: float) -> set[int]:
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return {fd for fd, _ in poll.poll(timeout_s * 1000)}


def require_ordered_stores(
    machine: str | None = None, *, instead: str = "use --wake eventfd"
) -> None:
    """Refuse polling where other processors may see stores in another order.

    Raises:
        RingError: this machine is not an x86.
    """
    machine = machine or platform.machine()
    if machine not in _ORDERED_MACHINES:
        raise RingError(
            f"polling relies on the order of stores on x86, and this machine is {machine}; "
            f"{instead}"
        )
