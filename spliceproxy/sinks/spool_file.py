"""A part of a spool: an unlinked file that is written once and read once, from start to end."""

import contextlib
import os
import tempfile
from pathlib import Path

from spliceproxy.tap.chunk import Chunk


class SpoolFile:
    """The file; all its methods but `close` may block on the disk and belong in a thread."""

    def __init__(self) -> None:
        self._fd: int | None = None
        self.written_bytes = 0
        self.read_bytes = 0

    @property
    def is_read(self) -> bool:
        """Whether all that was written has been read."""
        return self.read_bytes == self.written_bytes

    def write(self, chunks: list[Chunk]) -> None:
        """Write chunks behind what is there; the caller counts them when all has gone well."""
        if self._fd is None:
            self._fd = open_unlinked()
        os.lseek(self._fd, self.written_bytes, os.SEEK_SET)
        for chunk in chunks:
            while chunk.size:
                chunk.write_to(self._fd)

    def read(self, most_bytes: int) -> bytes:
        """Read on; the caller counts it."""
        assert self._fd is not None  # noqa: S101 - something was written
        left = self.written_bytes - self.read_bytes
        return os.pread(self._fd, min(most_bytes, left), self.read_bytes)

    def close(self) -> None:
        """Give the disk's space back."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def open_unlinked() -> int:
    """Make a file without a name in the directory for temporary files, and return its descriptor.

    Raises:
        OSError: there is no such directory that can be written into, or as open(2).
    """
    directory = tempfile.gettempdir()
    with contextlib.suppress(OSError):  # not every file system can make a file without a name
        return os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fd, path = tempfile.mkstemp(dir=directory)
    Path(path).unlink()
    return fd
