"""Compresses what mirrors have sealed in a directory, and what they seal from now on."""

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from spliceproxy.capture.compress import SegmentCompressor, alone_in
from spliceproxy.formats.capture.names import SegmentName
from spliceproxy.formats.zstd import Zstd
from spliceproxy.kernel.trusted_directory import open_directory

RETRY_S = 30.0
"""After a failure: what can be done about it is done by people, or by a sweep."""
_TELL_S = 60.0
_MOST_BAD = 1000

Tell = Callable[[str, dict[str, Any]], None]
"""Takes an event for the log, and what it says."""


class Compressing:
    """What is to do in one directory. Opened anew for each segment: it may have been replaced."""

    def __init__(
        self, path: str, *, trusted: bool, zstd: Zstd, tell: Tell, is_stopped: Callable[[], bool]
    ) -> None:
        self._path = path
        self._trusted = trusted
        self._zstd = zstd
        self._tell = tell
        self._is_stopped = is_stopped
        self._retry_s = 0.0
        self._failure = ""
        self._bad: set[str] = set()  # segments that could not be compressed; others go first
        self._segments = self._before_bytes = self._after_bytes = 0
        self._tell_s: float | None = None

    def turn(self) -> bool:
        """Compress a segment; False: there is nothing to do for now.

        Raises:
            StoppedEarlyError: it was told to stop.
        """
        if time.monotonic() < self._retry_s:
            return False
        try:
            with self._open() as root, alone_in(root) as is_alone:
                is_done = is_alone and self._compress_one(
                    SegmentCompressor(root, self._zstd, self._is_stopped)
                )
        except OSError as error:
            self._fail(error)
            return False
        self._tell_sum(is_idle=not is_done)
        return is_done

    @contextmanager
    def _open(self) -> Iterator[int]:
        root = open_directory(self._path, trusted=self._trusted)
        try:
            yield root
        finally:
            os.close(root)

    def _compress_one(self, compressor: SegmentCompressor) -> bool:
        name = next((one for one in compressor.waiting() if one.text not in self._bad), None)
        if name is None:
            return False
        try:
            done = compressor.compress(name)
        except OSError:
            self._pass_over(name)
            raise
        self._failure = ""
        if done is not None:
            self._segments += 1
            self._before_bytes += done.before_bytes
            self._after_bytes += done.after_bytes
        return True

    def _pass_over(self, name: SegmentName) -> None:
        if len(self._bad) >= _MOST_BAD:
            self._bad.clear()
        self._bad.add(name.text)

    def _fail(self, error: OSError) -> None:
        """Tell of it once, as long as it is the same."""
        self._retry_s = time.monotonic() + RETRY_S
        why = errno.errorcode.get(error.errno or 0, "error").lower()
        if error.errno == errno.ENOSPC:
            self._bad.clear()  # that was not because of the segment
        if why != self._failure:
            self._failure = why
            self._tell(
                "segment_not_compressed",
                {"directory": self._path, "reason": why, "error": str(error)},
            )

    def _tell_sum(self, *, is_idle: bool) -> None:
        now_s = time.monotonic()
        if not self._segments:
            return
        if self._tell_s is None:
            self._tell_s = now_s + _TELL_S
        if is_idle or now_s >= self._tell_s:
            self._tell(
                "segments_compressed",
                {
                    "directory": self._path,
                    "segments": self._segments,
                    "bytes": self._before_bytes,
                    "compressed_bytes": self._after_bytes,
                },
            )
            self._segments = self._before_bytes = self._after_bytes = 0
            self._tell_s = None
