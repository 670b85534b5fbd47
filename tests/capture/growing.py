"""A segment that a writer is writing: it is locked, and grows block by block."""

import fcntl
import os
from pathlib import Path

from spliceproxy.formats.capture.encode import encode_record
from spliceproxy.formats.capture.layout import RecordKind
from spliceproxy.formats.capture.names import OPEN_SUFFIX, name_segment
from tests.capture.recorded import Recorded


class Growing(Recorded):
    """Each method adds a record; `write` puts them into the file."""

    def __init__(self, directory: Path, writer: int = 1) -> None:
        self._fd = -1
        self._written = 0
        super().__init__(directory, writer)

    def _began(self) -> None:
        super()._began()
        self.path = self._directory / (name_segment(self._header) + OPEN_SUFFIX)
        hidden = self.path.with_suffix(".new")
        self._fd = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC)
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        self._written = 0
        self.write(is_whole=False)
        hidden.rename(self.path)

    def write(self, *, is_whole: bool = True) -> None:
        """Write what there is; without the end of the block if it is not whole."""
        if is_whole:
            self.end_block()
        self._written += os.write(self._fd, self._data[self._written :])

    def seal(self) -> Path:
        """Write the rest with an index of no connection, and give the file its name."""
        self.write()
        at = len(self._data)
        self._data += encode_record(RecordKind.INDEX, 0, 0, 0, 0)
        self._data += encode_record(RecordKind.TRAILER, 0, 0, 0, at)
        self.write(is_whole=False)
        self.crash()
        path = self.path.with_name(self.path.name.removesuffix(OPEN_SUFFIX))
        return self.path.rename(path)

    def crash(self) -> None:
        """Let go of the file as it is."""
        os.close(self._fd)
        self._fd = -1

    def __enter__(self) -> "Growing":
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd >= 0:
            self.crash()
