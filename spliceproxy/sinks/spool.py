"""`overflow=spill`: what a mirror can't take now waits on disk."""

import errno
from collections import deque
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING

from spliceproxy.sinks.budget import ClientShare
from spliceproxy.sinks.disk import Disk
from spliceproxy.sinks.spool_file import SpoolFile
from spliceproxy.tap.chunk import BytesChunk, Chunk

if TYPE_CHECKING:
    from spliceproxy.sinks.branch import Branch

_READ_BYTES = 256 << 10
_REFILL_BYTES = 4 << 20  # where the queue has no limit of its own

_FILES = 4
MOST_SPOOL_FILES = _FILES + 1
"""A spool's space comes back a file at a time, so it has a few: a descriptor each."""


class Spool:
    """First in, first out, behind a branch's queue; one disk job at a time.

    Chunks wait in memory for the disk, which takes a gigabyte a second in fits and starts, within
    the client's share of the memory; a disk that is slower than that ends the branch. The queue
    leaves half of the share to them: else nothing could go to the disk once the memory is full.
    """

    def __init__(self, branch: "Branch", disk: Disk, share: ClientShare) -> None:
        self._branch = branch
        self._disk = disk
        self._share = share
        self._limit_bytes = branch.settings.spool_bytes
        own_bytes = branch.settings.buffer_bytes
        self._refill_bytes = _REFILL_BYTES if own_bytes is None else own_bytes // 2
        self._waiting: deque[Chunk] = deque()  # for the disk, in memory
        self._waiting_bytes = 0
        self._batch: list[Chunk] = []  # being written
        self._batch_bytes = 0
        self._files: deque[SpoolFile] = deque()
        self._next_offset = 0  # in the stream, of the first byte in here
        self._busy = False
        self._closed = False
        self.active = False
        """It holds something, or is about to."""

    @property
    def held_bytes(self) -> int:
        """How much of the stream is in here; what is lost is not, though a thread may have it."""
        if self._closed:
            return 0
        on_disk = sum(s.written_bytes - s.read_bytes for s in self._files)
        return self._waiting_bytes + self._batch_bytes + on_disk

    def has_room(self, count: int) -> bool:
        """Whether it can take so many bytes more."""
        in_memory = self._waiting_bytes + self._batch_bytes + count
        space = sum(file.written_bytes for file in self._files)
        return space + in_memory <= self._limit_bytes and self._share.has_room(count)

    def leaves_room(self, count: int) -> bool:
        """Whether the queue may take so many bytes that have just come."""
        # What comes later goes behind what is on disk.
        return not self.active and self._share.has_room_in_half(count)

    def expect(self) -> None:
        """From now on copies come here."""
        self.active = True

    def put(self, chunk: Chunk) -> None:
        """Take a chunk."""
        if not self.held_bytes:
            self._next_offset = chunk.offset
        self._waiting.append(chunk)
        self._waiting_bytes += chunk.size
        self._share.hold(chunk.size)
        self.work()

    def work(self) -> None:
        """Write what waits; else give back what the branch's queue has room for."""
        if self._busy or self._closed:
            return
        if self._waiting:
            self._submit_write()
        elif self._files:
            if self._queue_has_room():
                self._busy = True
                read = partial(self._files[0].read, _READ_BYTES)
                self._disk.submit(read, self._has_read)
        elif self.active:
            self.active = False
            self._branch.spool_drained()

    def _queue_has_room(self) -> bool:
        queued_bytes = self._branch.queued_bytes
        return not queued_bytes or (
            queued_bytes <= self._refill_bytes and self._share.has_room_in_half(_READ_BYTES)
        )

    def _submit_write(self) -> None:
        self._batch, self._waiting = list(self._waiting), deque()
        self._batch_bytes, self._waiting_bytes = self._waiting_bytes, 0
        is_full = self._files and (self._files[-1].written_bytes >= self._limit_bytes // _FILES)
        if is_full or not self._files:
            self._files.append(SpoolFile())
        self._busy = True
        self._disk.submit(partial(self._files[-1].write, self._batch), self._wrote)

    def _wrote(self, job: "Future[None]") -> None:
        self._busy = False
        batch, self._batch = self._batch, []
        for chunk in batch:
            chunk.discard()
        error = job.exception()
        count, self._batch_bytes = self._batch_bytes, 0
        self._share.release(count)
        if error is None:
            self._files[-1].written_bytes += count
        elif not self._closed:
            self._branch.drop(count, self._next_offset + self.held_bytes - self._waiting_bytes)
            self._branch.fail(_name(error))
        self._go_on()

    def _has_read(self, job: "Future[bytes]") -> None:
        self._busy = False
        error = job.exception()
        if error is not None and not self._closed:
            self._branch.fail(_name(error))
        elif not self._closed:
            self._give_back(job.result())
        self._go_on()

    def _give_back(self, data: bytes) -> None:
        file = self._files[0]
        file.read_bytes += len(data)
        if file.is_read:
            self._files.popleft().close()
        offset = self._next_offset
        self._next_offset += len(data)
        self._branch.requeue(BytesChunk(data, offset))

    def _go_on(self) -> None:
        if self._closed:
            self._close_files()
        else:
            self.work()

    def close(self) -> list[tuple[int, int]]:
        """Drop all; the (offset, length) in the stream of what was in here."""
        held = self.held_bytes
        self._closed = True
        lost = [(self._next_offset, held)] if held else []
        while self._waiting:
            self._waiting.popleft().discard()
        self._share.release(self._waiting_bytes)
        self._waiting_bytes = 0
        if not self._busy:
            self._close_files()
        return lost

    def _close_files(self) -> None:
        while self._files:
            self._files.popleft().close()


def _name(error: BaseException) -> str:
    number = error.errno if isinstance(error, OSError) else None
    return f"spool_{errno.errorcode.get(number or 0, 'error').lower()}"
