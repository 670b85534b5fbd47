"""One sweep over the directory of a `capture:` mirror: what is too old, or too much, goes.

The oldest segments go first, each as a whole. One that is being written stays; one that a crash
has left goes like the others, since nobody holds its lock. Nothing else is touched.
"""

import os
import time
from collections.abc import Callable

from spliceproxy.formats.capture.names import SegmentName, parse_segment_name
from spliceproxy.kernel.file_lock import is_locked_at
from spliceproxy.settings.mirror_kinds.retention import Retention
from spliceproxy.sinks.capture_unfinished import remove_unfinished
from spliceproxy.sinks.file_retention import Swept

_BLOCK_BYTES = 512  # of st_blocks, whatever the file system has (stat(2))


class SegmentSweep:
    """Takes as long as the disk does; ends early when it is told to."""

    def __init__(
        self,
        root_fd: int,
        limits: Retention,
        is_stopped: Callable[[], bool],
        removed: Callable[[str, int], None] = lambda name, size_bytes: None,
        *,
        is_trial: bool = False,
    ) -> None:
        """`removed` is told each name, and its size; on trial they would go, and stay."""
        self._root = root_fd
        self._limits = limits
        self._is_stopped = is_stopped
        self._removed = removed
        self._is_trial = is_trial
        self._swept = Swept()

    def run(self) -> Swept:
        """Remove what has to go.

        Raises:
            OSError: the directory cannot be read, or nothing can be removed from it.
        """
        if not self._is_trial:
            remove_unfinished(self._root)
        names = sorted(self._names(), key=lambda name: name.text)
        if self._limits.max_age_s is not None:
            before_s = time.time() - self._limits.max_age_s
            names = [name for name in names if not self._remove_if_older(name, before_s)]
        for limit, excess in (("max_total", self._over_total), ("keep_free", self._over_free)):
            needed = excess(names)
            while needed > 0 and names and not self._is_stopped():
                needed -= self._remove(names.pop(0))
            if needed > 0:
                self._swept.exceeded = self._swept.exceeded or limit
        return self._swept

    def _names(self) -> list[SegmentName]:
        with os.scandir(self._root) as entries:
            found = [parse_segment_name(entry.name) for entry in entries]
        return [name for name in found if name is not None]

    def _over_total(self, names: list[SegmentName]) -> int:
        most = self._limits.max_total_bytes
        return 0 if most is None else sum(map(self._size_of, names)) - most

    def _over_free(self, _: list[SegmentName]) -> int:
        if self._limits.keep_free is None:
            return 0
        disk = os.statvfs(self._root)
        wanted = self._limits.keep_free.of(disk.f_blocks * disk.f_frsize)
        would_be_free = self._swept.size_bytes if self._is_trial else 0
        return wanted - disk.f_bavail * disk.f_frsize - would_be_free

    def _size_of(self, name: SegmentName) -> int:
        try:
            found = os.stat(name.text, dir_fd=self._root, follow_symlinks=False)
        except FileNotFoundError:
            return 0
        return found.st_blocks * _BLOCK_BYTES

    def _remove_if_older(self, name: SegmentName, before_s: float) -> bool:
        try:
            changed_s = os.stat(name.text, dir_fd=self._root, follow_symlinks=False).st_mtime
        except FileNotFoundError:
            return True
        return changed_s < before_s and self._remove(name) > 0

    def _remove(self, name: SegmentName) -> int:
        """Remove a segment that nobody writes; how many bytes that has freed."""
        size = self._size_of(name)
        if name.is_open and is_locked_at(name.text, self._root):
            return 0
        if not self._is_trial:
            try:
                os.unlink(name.text, dir_fd=self._root)
            except FileNotFoundError:
                return 0
        self._removed(name.text, size)
        self._swept.files += 1
        self._swept.size_bytes += size
        self._swept.oldest = self._swept.oldest or name.stamp
        return size
