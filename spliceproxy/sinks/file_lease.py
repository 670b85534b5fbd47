"""Which process sweeps a directory, of all workers and generations that write into it.

A file in the directory is locked during a sweep, so there is one at a time. The file tells by
which limits was swept last, and its time of change tells when; so the others let it be, and learn
whether there is room. It is never removed, since another process could lock what is removed.
"""

import fcntl
import json
import os
import time
from dataclasses import dataclass

NAME = ".spliceproxy-retention"
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_MOST_BYTES = 4096
_ABANDONED = 4
"""After so many intervals without a sweep others go by their own limits again."""


@dataclass(frozen=True, slots=True)
class LastSweep:
    """What the one who swept last has left for the others."""

    limits: str = ""
    exceeded: str = ""
    """The limit that nothing more can be written for; empty: there is room."""


class Lease:
    """The lock; it is held from `take` to `give_back`, also beyond them if the disk hangs."""

    def __init__(self, root_fd: int, limits: str) -> None:
        """Open the file.

        Raises:
            OSError: it cannot be had.
        """
        self._limits = limits
        self._fd = os.open(NAME, _FLAGS, 0o600, dir_fd=root_fd)
        self.last = LastSweep()

    def take(self, interval_s: float, *, is_new: bool) -> bool:
        """Return whether this process is to sweep now, with the lock.

        A process that has just begun has newer limits than those who sweep by others.
        """
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.last = self._read()
            return False
        self.last = self._read()
        since_s = abs(time.time() - os.fstat(self._fd).st_mtime)
        if self.last.limits == self._limits:
            return since_s >= interval_s
        return is_new or since_s >= _ABANDONED * interval_s

    def _read(self) -> LastSweep:
        try:
            limits, exceeded = json.loads(os.pread(self._fd, _MOST_BYTES, 0))
        except ValueError:  # new, or cut short by a full disk
            return LastSweep()
        return LastSweep(str(limits), str(exceeded))

    def give_back(self, exceeded: str) -> None:
        """Leave word of the sweep for the others."""
        word = json.dumps([self._limits, exceeded]).encode()
        os.pwrite(self._fd, word.ljust(_MOST_BYTES), 0)  # as long as before: a full disk takes it
        os.utime(self._fd)

    def close(self) -> None:
        """Close the file, and give up the lock with it."""
        os.close(self._fd)
