"""The file of a capture segment; all of it is done in a thread, and may block on the disk."""

import fcntl
import os
import time
from contextlib import suppress
from zlib import crc32

from spliceproxy.formats.capture.encode import encode_header, encode_record
from spliceproxy.formats.capture.layout import HEADER_BYTES, RECORD_BYTES, RecordKind, SegmentHeader
from spliceproxy.formats.capture.names import NEW_SUFFIX, OPEN_SUFFIX, name_segment
from spliceproxy.sinks.capture_batch import Batch
from spliceproxy.sinks.file_directory import FileDirectory, FileRemovedError
from spliceproxy.tap.chunk import PipeChunk

_BLOCK = RecordKind.BLOCK
_CACHED_BYTES = 8 << 20
"""After so many more the page cache is asked to let go of the segment (posix_fadvise(2)): the disk
begins to write what is dirty, and what is written is dropped. Else a busy capture would push out
what the machine's programs read, and would pay for a fresh page for each 4 KiB; it then meets a
disk's pace late, and all at once."""


class SegmentFile:
    """Grows a block at a time; what could not be written whole is taken back."""

    def __init__(self, directory: FileDirectory, writer: int, number: int) -> None:
        self._directory = directory
        self._header = SegmentHeader(writer, number, time.time_ns(), time.monotonic_ns())
        self._name = name_segment(self._header)
        self._fd = -1
        self._cached_from = 0
        self.size = HEADER_BYTES
        """What is whole; where the next block begins."""

    def write(self, batch: Batch) -> None:
        """Write a batch, as one block or several.

        Raises:
            OSError: nothing of it is in the file, or nobody will find that: it was removed, or
                its directory was.
        """
        self._directory.admit()
        if self._fd < 0:
            self._create()
        try:
            self._write_blocks(batch)
            if not os.fstat(self._fd).st_nlink:
                raise FileRemovedError
        except OSError:
            if self.size == HEADER_BYTES:
                self._remove()
            else:
                os.ftruncate(self._fd, self.size)
                os.lseek(self._fd, self.size, os.SEEK_SET)
            raise
        self.size += batch.size + RECORD_BYTES
        if self.size - self._cached_from >= _CACHED_BYTES:
            self._cached_from = self.size
            os.posix_fadvise(self._fd, 0, self.size, os.POSIX_FADV_DONTNEED)

    def _write_blocks(self, batch: Batch) -> None:
        at = block_at = self.size
        checksum = 0
        waiting: list[bytes | bytearray] = []  # goes out in one call
        for part in (*batch.parts, None):
            if part is None:
                now_ns = time.monotonic_ns()
                waiting.append(encode_record(_BLOCK, 0, 0, now_ns, block_at, 0, checksum))
                at = block_at = at + RECORD_BYTES
                checksum = 0
            elif isinstance(part, PipeChunk):
                self._write(waiting)
                at += part.size
                while part.size:
                    part.write_to(self._fd)
            elif part:
                at += len(part)
                checksum = crc32(part, checksum)
                waiting.append(part)
        self._write(waiting)

    def _write(self, waiting: list[bytes | bytearray]) -> None:
        written = os.writev(self._fd, waiting) if waiting else 0
        for data in waiting:
            if written < len(data):
                _write(self._fd, memoryview(data)[written:])
            written = max(0, written - len(data))
        waiting.clear()

    def _remove(self) -> None:
        """Leave no file that has nothing: a disk that is nearly full would get many."""
        fd, self._fd = self._fd, -1
        os.close(fd)
        with suppress(FileNotFoundError):
            self._directory.unlink_at_root(self._name + OPEN_SUFFIX)

    def _create(self) -> None:
        """Whoever finds the name finds the lock held, and a whole header, too.

        A look at the lock of one that is new would be in the way of it.
        """
        name = self._name + NEW_SUFFIX
        fd = self._directory.create_at_root(name)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # tells others that it has a writer
            _write(fd, encode_header(self._header))
            self._directory.rename_at_root(name, self._name + OPEN_SUFFIX)
        except OSError:
            os.close(fd)
            self._directory.unlink_at_root(name)
            raise
        self._fd = fd

    def seal(self, index: bytes) -> OSError | None:
        """Write the index, and give the file its name; once, and last.

        Returns why it has no index, if it has none: a full disk does without.

        Raises:
            OSError: it stays as it is, and can be read without an index.
        """
        if self._fd < 0:
            return None
        try:
            problem = self._write_index(index)
            # With the lock still held: it would look like what a crash has left.
            self._directory.rename_at_root(self._name + OPEN_SUFFIX, self._name)
        finally:
            fd, self._fd = self._fd, -1
            os.close(fd)
        return problem

    def _write_index(self, index: bytes) -> OSError | None:
        now_ns = time.monotonic_ns()
        head = encode_record(RecordKind.INDEX, 0, 0, now_ns, 0, len(index), crc32(index))
        trailer = encode_record(RecordKind.TRAILER, 0, 0, now_ns, self.size)
        try:
            _write(self._fd, head + index + trailer)
        except OSError as problem:
            os.ftruncate(self._fd, self.size)
            return problem
        return None


def _write(fd: int, data: bytes | memoryview) -> None:
    with memoryview(data) as view:
        written = 0
        while written < len(view):
            written += os.write(fd, view[written:])
