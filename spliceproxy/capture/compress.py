"""Compresses sealed segments of a directory, one at a time.

What is there can be read at any moment, also after a crash: a compressed segment gets its name when
all of it is on the disk, and the other one goes after that. Whoever removes a segment meanwhile is
not in the way.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from spliceproxy.formats.capture.compressed import (
    FOOTER_BYTES,
    decode_table,
    encode_table,
    frame_lengths,
    table_bytes,
)
from spliceproxy.formats.capture.decode import decode_trailer
from spliceproxy.formats.capture.layout import HEADER_BYTES, RECORD_BYTES
from spliceproxy.formats.capture.names import (
    COMPRESSED_SUFFIX,
    NEW_SUFFIX,
    SegmentName,
    parse_segment_name,
)
from spliceproxy.formats.zstd import Zstd

LOCK_NAME = ".spliceproxy-compress"
"""Its lock has whoever compresses in the directory."""
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LOCK = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_SYNC_BYTES = 8 << 20
"""So much is on its way to the disk at once: more would hold up what others have written there."""
_ROOM = 2
"""A disk that has not so many times the segment free is left to those who capture."""


@dataclass(frozen=True, slots=True)
class CompressedSegment:
    """What became of one."""

    name: str
    before_bytes: int
    after_bytes: int


class StoppedEarlyError(Exception):
    """It was told to stop; nothing has changed."""


@contextmanager
def alone_in(root_fd: int) -> Iterator[bool]:
    """Let nobody else compress in a directory meanwhile; False: somebody does.

    Raises:
        OSError: the directory cannot be written into.
    """
    fd = os.open(LOCK_NAME, _LOCK, 0o600, dir_fd=root_fd)
    try:
        with suppress(PermissionError):  # where an administrator compresses what a proxy has
            owner = os.fstat(root_fd)
            os.fchown(fd, owner.st_uid, owner.st_gid)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_alone = True
        except BlockingIOError:
            is_alone = False
        yield is_alone
    finally:
        os.close(fd)


class SegmentCompressor:
    """Works in one directory, of which it has a descriptor, `alone_in` it."""

    def __init__(self, root_fd: int, zstd: Zstd, is_stopped: Callable[[], bool]) -> None:
        """`is_stopped` is asked for each MiB."""
        self._root = root_fd
        self._zstd = zstd
        self._is_stopped = is_stopped

    def waiting(self) -> list[SegmentName]:
        """Return the segments that are sealed and not compressed, the oldest first.

        Raises:
            OSError: the directory cannot be read.
        """
        with os.scandir(self._root) as entries:
            found = [parse_segment_name(entry.name) for entry in entries]
        return sorted(
            (name for name in found if name and not (name.is_open or name.is_compressed)),
            key=lambda name: name.text,
        )

    def compress(self, name: SegmentName) -> CompressedSegment | None:
        """Put a compressed segment in the place of this one; None: others have been faster.

        Raises:
            OSError: it cannot be done, and the segment stays as it is; ENOSPC also where the disk
                has little room.
            StoppedEarlyError: it was told to stop.
        """
        try:
            raw = os.open(name.text, _OPEN, dir_fd=self._root)
        except FileNotFoundError:
            return None
        try:
            if not self._is_done(name, raw) and not self._write(name, raw):
                return None
            after = os.stat(name.text + COMPRESSED_SUFFIX, dir_fd=self._root).st_size
            with suppress(FileNotFoundError):
                os.unlink(name.text, dir_fd=self._root)
            return CompressedSegment(name.text, os.fstat(raw).st_size, after)
        except FileNotFoundError:  # the compressed one has been removed by now
            return None
        finally:
            os.close(raw)

    def _is_done(self, name: SegmentName, raw: int) -> bool:
        """Whether there is a compressed one already: a crash came before this one went."""
        try:
            fd = os.open(name.text + COMPRESSED_SUFFIX, _OPEN, dir_fd=self._root)
        except FileNotFoundError:
            return False
        try:
            size = os.fstat(fd).st_size
            at = size - table_bytes(os.pread(fd, FOOTER_BYTES, max(0, size - FOOTER_BYTES)))
            table = decode_table(os.pread(fd, size - at, max(0, at)), at)
            return table.content_bytes == os.fstat(raw).st_size
        except ValueError:
            return False
        finally:
            os.close(fd)

    def _write(self, name: SegmentName, raw: int) -> bool:
        """Write the compressed one, unless the segment is removed meanwhile."""
        found = os.fstat(raw)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "no regular file")
        self._look_for_room(found.st_size)
        new_name = name.text + COMPRESSED_SUFFIX + NEW_SUFFIX
        new = self._create(new_name)
        try:
            self._fill(new, raw, found)
            if not os.fstat(raw).st_nlink:
                os.unlink(new_name, dir_fd=self._root)
                return False
            os.rename(
                new_name,
                name.text + COMPRESSED_SUFFIX,
                src_dir_fd=self._root,
                dst_dir_fd=self._root,
            )
            os.fsync(self._root)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(new_name, dir_fd=self._root)
            raise
        finally:
            os.close(new)
        return True

    def _look_for_room(self, size: int) -> None:
        disk = os.statvfs(self._root)
        if disk.f_bavail * disk.f_frsize < _ROOM * size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _create(self, name: str) -> int:
        with suppress(FileNotFoundError):  # left by a crash: nobody else is at it
            os.unlink(name, dir_fd=self._root)
        fd = os.open(name, _NEW, 0o600, dir_fd=self._root)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # so that no sweep takes it for left behind
        return fd

    def _fill(self, new: int, raw: int, found: os.stat_result) -> None:
        written = unsynced = 0
        for frame in self._frames(raw, found.st_size):
            _write_all(new, frame)
            written += len(frame)
            unsynced += len(frame)
            if unsynced >= _SYNC_BYTES:
                os.fdatasync(new)
                unsynced = 0
        # As of the other: who may read it, and when it was written, which decides when it goes.
        os.fchmod(new, stat.S_IMODE(found.st_mode) & 0o666)
        with suppress(PermissionError):
            os.fchown(new, found.st_uid, found.st_gid)
        os.utime(new, ns=(found.st_atime_ns, found.st_mtime_ns))
        os.fsync(new)
        os.posix_fadvise(new, 0, 0, os.POSIX_FADV_DONTNEED)  # others need the memory more

    def _frames(self, raw: int, size: int) -> Iterator[bytes]:
        """Return what the file is to have, piece by piece."""
        trailer = os.pread(raw, RECORD_BYTES, max(0, size - RECORD_BYTES))
        index_at = decode_trailer(trailer)
        if index_at is not None and not HEADER_BYTES <= index_at < size:
            index_at = None
        table: list[tuple[int, int]] = []
        at = 0
        for length in frame_lengths(size, index_at):
            if self._is_stopped():
                raise StoppedEarlyError
            content = _read_all(raw, length, at)
            frame = self._zstd.compress(content)
            yield frame
            table.append((len(frame), length))
            at += length
        yield encode_table(table)


def _read_all(fd: int, size: int, at: int) -> bytes:
    data = b""
    while len(data) < size:
        more = os.pread(fd, size - len(data), at + len(data))
        if not more:
            raise OSError(errno.EIO, "it has become shorter")
        data += more
    return data


def _write_all(fd: int, data: bytes) -> None:
    with memoryview(data) as view:
        written = 0
        while written < len(view):
            written += os.write(fd, view[written:])
