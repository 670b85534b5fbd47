"""One sweep over the directory of a `file:` mirror: what is too old, or too much, goes.

The oldest connections go first, each with all its files. One is over when its record is there; or,
without a record, when the process that has written it is gone. Nothing else is touched, whatever
its name is, and no symbolic link is followed.
"""

import heapq
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby

from spliceproxy.kernel.process_state import read_start_s, sees_processes
from spliceproxy.settings.mirror_kinds.retention import Retention
from spliceproxy.sinks.file_names import (
    PART_SUFFIX,
    RECORD_SUFFIX,
    AuditName,
    day_of,
    is_day,
    parse_name,
    stamp_of,
)

MOST_FILES = 50_000
"""So many go in one sweep; the next one, which comes soon, goes on."""
_BATCH_FILES = 4096  # names held in memory at a time
_BLOCK_BYTES = 512  # of st_blocks, whatever the file system has (stat(2))
_START_S = 2.0  # so exact is what the kernel tells of a process's start
_SETTLED_S = 2.0  # a directory's time of change may be as coarse as that (FAT)

_DAY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(slots=True)
class Swept:
    """What became of a sweep."""

    files: int = 0
    size_bytes: int = 0
    oldest: str = ""
    """When the oldest connection of them began."""
    exceeded: str = ""
    """The limit that is exceeded still, though all that may go has gone."""
    has_more: bool = False
    """It ended at its bound."""


@dataclass(slots=True)
class DaySizes:
    """What days took when they were looked at last, with their times of change."""

    known: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Connection:
    name: str
    files: list[str]

    @property
    def has_record(self) -> bool:
        return self.name + RECORD_SUFFIX in self.files


class Sweep:
    """Takes as long as the disk does; ends early when it is told to."""

    def __init__(
        self, root_fd: int, limits: Retention, sizes: DaySizes, is_stopped: Callable[[], bool]
    ) -> None:
        self._root = root_fd
        self._limits = limits
        self._sizes = sizes
        self._is_stopped = is_stopped
        self._now_s = time.time()
        self._started: dict[int, float | None] = {}
        self.swept = Swept()

    def run(self) -> Swept:
        """Remove what has to go.

        Raises:
            OSError: the directory cannot be read, or nothing can be removed from it.
        """
        with os.scandir(self._root) as entries:
            days = sorted(entry.name for entry in entries if is_day(entry.name))
        if self._limits.max_age_s is not None:
            self._remove_old(days, self._now_s - self._limits.max_age_s)
        for limit, excess in (("max_total", self._over_total), ("keep_free", self._over_free)):
            needed = excess(days)
            if needed > 0 and not self._make_room(days, needed) and not self._is_at_its_end:
                self.swept.exceeded = self.swept.exceeded or limit
        self._remove_empty(days)
        return self.swept

    @property
    def _is_at_its_end(self) -> bool:
        if self.swept.files >= MOST_FILES:
            self.swept.has_more = True
        return self.swept.has_more or self._is_stopped()

    def _over_total(self, days: list[str]) -> int:
        """Return by how many bytes the files take more than they may."""
        most = self._limits.max_total_bytes
        return 0 if most is None else sum(map(self._size_of, days)) - most

    def _over_free(self, days: list[str]) -> int:
        """Return how many bytes of the file system are to be free, and are not."""
        if self._limits.keep_free is None:
            return 0
        disk = os.statvfs(self._root)
        wanted = self._limits.keep_free.of(disk.f_blocks * disk.f_frsize)
        return wanted - disk.f_bavail * disk.f_frsize

    def _size_of(self, day: str) -> int:
        """Return what a day's files take of the disk; one that has not changed is not read."""
        with self._opened(day) as fd:
            if fd is None:
                return 0
            changed_ns = os.fstat(fd).st_mtime_ns
            known = self._sizes.known.get(day)
            if known is not None and known[0] == changed_ns:
                return known[1]
            size, growing = 0, False
            for name in self._files(fd):
                size += _allocated(fd, name)
                growing = growing or name.endswith(PART_SUFFIX)
            if not growing and self._now_s - changed_ns / 1e9 > _SETTLED_S:
                self._sizes.known[day] = changed_ns, size
            return size

    def _remove_old(self, days: list[str], before_s: float) -> None:
        stamp = stamp_of(max(0.0, before_s))
        for day in days:
            if day > day_of(stamp):
                return
            for fd, connection in self._connections(day, stamp):
                if self._is_at_its_end:
                    return
                if _last_change_s(fd, connection.files) < before_s:
                    self._remove(fd, connection)

    def _make_room(self, days: list[str], needed_bytes: int) -> bool:
        """Remove the oldest until so many bytes have become free; False: there are not so many."""
        wanted = self.swept.size_bytes + needed_bytes
        for day in days:
            for fd, connection in self._connections(day):
                if self.swept.size_bytes >= wanted or self._is_at_its_end:
                    return True
                self._remove(fd, connection)
        return self.swept.size_bytes >= wanted

    def _connections(self, day: str, until: str = "~") -> Iterator[tuple[int, _Connection]]:
        """Return those of a day that are over, the oldest first, and the day's descriptor."""
        after = ""
        with self._opened(day) as fd:
            while fd is not None:
                names = (name for name in self._files(fd) if after < name < until)
                batch = heapq.nsmallest(_BATCH_FILES, names)
                groups = [(connection, list(files)) for connection, files in groupby(batch, _parse)]
                is_last = len(batch) < _BATCH_FILES
                for connection, files in groups if is_last else groups[:-1]:
                    found = _Connection(connection.connection, files)
                    if found.has_record or not self._is_written(connection):
                        yield fd, found
                    after = files[-1]
                if is_last or self._is_at_its_end:
                    return

    def _is_written(self, name: AuditName) -> bool:
        """Whether the process that a connection belongs to is still there.

        Another process that has its number by now, as after a restart of the container, is younger
        than the connection.
        """
        if name.pid not in self._started:
            try:
                self._started[name.pid] = read_start_s(name.pid)
            except OSError:
                # Without /proc nobody can tell: it may be, for ever.
                self._started[name.pid] = None if sees_processes() else -math.inf
        started_s = self._started[name.pid]
        return started_s is not None and started_s <= name.began_s + _START_S

    def _remove(self, fd: int, connection: _Connection) -> None:
        """The record goes last: what is left if this ends in the middle is known to be over."""
        record = connection.name + RECORD_SUFFIX
        for name in sorted(connection.files, key=lambda name: name == record):
            size = _allocated(fd, name)
            try:
                os.unlink(name, dir_fd=fd)
            except FileNotFoundError:
                continue
            self.swept.files += 1
            self.swept.size_bytes += size
        stamp = _parse(connection.name + RECORD_SUFFIX).stamp
        self.swept.oldest = min(self.swept.oldest or stamp, stamp)

    def _remove_empty(self, days: Iterable[str]) -> None:
        """Remove the directories of days that have passed, and have nothing in them."""
        today = day_of(stamp_of(self._now_s))
        for day in days:
            if day >= today or not self.swept.files:
                return
            try:
                os.rmdir(day, dir_fd=self._root)
                self._sizes.known.pop(day, None)
            except OSError:  # not empty, or not a directory
                continue

    def _files(self, fd: int) -> Iterator[str]:
        """Return the names of files that a mirror has written."""
        with os.scandir(fd) as entries:
            for entry in entries:
                if parse_name(entry.name) and entry.is_file(follow_symlinks=False):
                    yield entry.name

    @contextmanager
    def _opened(self, day: str) -> Iterator[int | None]:
        try:
            fd = os.open(day, _DAY, dir_fd=self._root)
        except (FileNotFoundError, NotADirectoryError):  # gone; a link or file of that name
            yield None
            return
        try:
            yield fd
        finally:
            os.close(fd)


def _parse(name: str) -> AuditName:
    found = parse_name(name)
    assert found is not None  # noqa: S101 - others are not in the batch
    return found


def _allocated(fd: int, name: str) -> int:
    try:
        return os.stat(name, dir_fd=fd, follow_symlinks=False).st_blocks * _BLOCK_BYTES
    except FileNotFoundError:
        return 0


def _last_change_s(fd: int, names: Iterable[str]) -> float:
    changed = 0.0
    for name in names:
        try:
            changed = max(changed, os.stat(name, dir_fd=fd, follow_symlinks=False).st_mtime)
        except FileNotFoundError:
            continue
    return changed
