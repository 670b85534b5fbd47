"""`overflow=spill`: what a mirror can't take now waits in an unlinked file on disk."""

import contextlib
import errno
import os
import tempfile
from collections import deque
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

from spliceproxy.pump.chunk import BytesChunk, Chunk
from spliceproxy.sinks.budget import Budget
from spliceproxy.sinks.disk import Disk

if TYPE_CHECKING:
    from spliceproxy.sinks.branch import Branch

_READ_BYTES = 256 << 10
_LEAST_MEMORY_BYTES = 32 << 20  # the page cache takes a gigabyte a second, in fits and starts


class Spool:
    """First in, first out, behind a branch's queue; one disk job at a time.

    Chunks wait in memory for the disk, within four times the branch's lag budget and within that
    of all mirrors; a disk that is slower than that ends the branch.
    """

    def __init__(self, branch: "Branch", disk: Disk, budget: Budget) -> None:
        self._branch = branch
        self._disk = disk
        self._budget = budget
        self._limit_bytes = branch.settings.spool_bytes
        self._refill_bytes = branch.settings.buffer_bytes // 2
        self._memory_bytes = max(4 * branch.settings.buffer_bytes, _LEAST_MEMORY_BYTES)
        self._waiting: deque[Chunk] = deque()  # for the disk, in memory
        self._waiting_bytes = 0
        self._batch: list[Chunk] = []  # being written
        self._batch_bytes = 0
        self._fd: int | None = None
        self._written = 0  # file offset of the next write
        self._read = 0
        self._first_offset = 0  # in the stream, of what stands at file offset 0
        self._busy = False
        self._closed = False
        self.active = False
        """It holds something, or is about to."""

    @property
    def held_bytes(self) -> int:
        """How much of the stream is in here."""
        return self._waiting_bytes + self._batch_bytes + self._written - self._read

    def has_room(self, count: int) -> bool:
        """Whether it can take so many bytes more."""
        in_memory = self._waiting_bytes + self._batch_bytes + count
        return (
            self._written + in_memory <= self._limit_bytes
            and in_memory <= self._memory_bytes
            and self._budget.has_room(count)
        )

    def expect(self) -> None:
        """From now on copies come here."""
        self.active = True

    def put(self, chunk: Chunk) -> None:
        """Take a chunk."""
        if not self.held_bytes:
            self._first_offset = chunk.offset
        self._waiting.append(chunk)
        self._waiting_bytes += chunk.size
        self._budget.used_bytes += chunk.size
        self.work()

    def work(self) -> None:
        """Write what waits; else give back what the branch's queue has room for."""
        if self._busy or self._closed:
            return
        if self._waiting:
            self._batch, self._waiting = list(self._waiting), deque()
            self._batch_bytes, self._waiting_bytes = self._waiting_bytes, 0
            self._busy = True
            self._disk.submit(self._write_batch, self._wrote)
        elif self._read < self._written:
            if self._branch.queued_bytes <= self._refill_bytes:
                self._busy = True
                self._disk.submit(self._read_some, self._has_read)
        elif self.active:
            self.active = False
            self._read = self._written = 0
            self._branch.spool_drained()

    def _write_batch(self) -> None:
        """In a thread."""
        if self._fd is None:
            self._fd = _open_unlinked()
        os.lseek(self._fd, self._written, os.SEEK_SET)
        for chunk in self._batch:
            while chunk.size:
                chunk.write_to(self._fd)

    def _wrote(self, job: "Future[None]") -> None:
        self._busy = False
        batch, self._batch = self._batch, []
        for chunk in batch:
            chunk.discard()
        error = job.exception()
        count, self._batch_bytes = self._batch_bytes, 0
        self._budget.used_bytes -= count
        if error is None:
            self._written += count
        elif not self._closed:
            self._branch.drop(count, self._first_offset + self._written)
            self._branch.fail(_name(error))
        self._go_on()

    def _read_some(self) -> bytes:
        """In a thread."""
        assert self._fd is not None  # noqa: S101
        return os.pread(self._fd, min(_READ_BYTES, self._written - self._read), self._read)

    def _has_read(self, job: "Future[bytes]") -> None:
        self._busy = False
        error = job.exception()
        if error is not None and not self._closed:
            self._branch.fail(_name(error))
        elif not self._closed:
            data = job.result()
            offset = self._first_offset + self._read
            self._read += len(data)
            self._branch.requeue(BytesChunk(data, offset))
        self._go_on()

    def _go_on(self) -> None:
        if self._closed:
            self._close_file()
        else:
            self.work()

    def close(self) -> list[tuple[int, int]]:
        """Drop all; the (offset, length) in the stream of what was in here."""
        self._closed = True
        held = self.held_bytes
        lost = [(self._first_offset + self._read, held)] if held else []
        while self._waiting:
            self._waiting.popleft().discard()
        self._budget.used_bytes -= self._waiting_bytes
        self._waiting_bytes = 0
        if not self._busy:
            self._close_file()
        return lost

    def _close_file(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _name(error: BaseException) -> str:
    if not isinstance(error, OSError):
        raise error
    return f"spool_{errno.errorcode.get(error.errno or 0, 'error').lower()}"


def _open_unlinked() -> int:
    directory = tempfile.gettempdir()
    with contextlib.suppress(OSError):  # not every file system can make a file without a name
        return os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fd, path = tempfile.mkstemp(dir=directory)
    Path(path).unlink()
    return fd
