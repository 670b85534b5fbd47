"""The directory of a `file:` mirror: all is done relative to its descriptor.

So a path that leads elsewhere meanwhile redirects nothing. It is opened at the start, and again
when it has been removed; whether it can be trusted is looked at each time. The directory of the
last day stays open, too: each system call of a thread costs the reactor a change of the
interpreter's lock.
"""

import errno
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from spliceproxy.kernel.trusted_directory import UntrustedDirectoryError, open_directory
from spliceproxy.sinks.file_names import PART_SUFFIX, RECORD_SUFFIX, day_of

_DAY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_TRIAL_BYTES = 64 << 10
"""A disk that has only a block left is full."""
_DAY_MODE, _FILE_MODE = 0o700, 0o600  # traffic is nobody else's to read


class NoRoomError(OSError):
    """The directory is as full as it may be, and nothing in it can go."""

    def __init__(self, limit: str) -> None:
        super().__init__(errno.ENOSPC, f"{limit} does not allow for more")
        self.limit = limit


class FileRemovedError(OSError):
    """A file that is written has lost its name."""

    def __init__(self) -> None:
        super().__init__(errno.ENOENT, "it was removed while it was written")


def name_failure(error: OSError) -> str:
    """Return the reason of a stream that a file could not take."""
    if isinstance(error, NoRoomError):
        return f"file_{error.limit}"
    if isinstance(error, FileRemovedError):
        return "file_removed"
    if isinstance(error, UntrustedDirectoryError):
        return "file_untrusted_directory"
    return f"file_{errno.errorcode.get(error.errno or 0, 'error').lower()}"


class _Day:
    """An open directory, and how many use it, the one who keeps it open among them."""

    __slots__ = ("fd", "name", "users")

    def __init__(self, name: str, fd: int) -> None:
        self.name = name
        self.fd = fd
        self.users = 1


class FileDirectory:
    """Used by the threads of one mirror; every call may block, and raise OSError."""

    def __init__(self, path: str, *, trusted: bool) -> None:
        self.path = path
        self._trusted = trusted
        self._fd = -1
        self._is_closed = False
        self._kept: _Day | None = None
        self._lock = threading.Lock()
        self.exceeded = ""
        """The limit that nothing more can be written for; set by the reactor."""

    def root(self) -> int:
        """Return the directory's descriptor."""
        return self._fd if self._fd >= 0 else self._open()

    def _open(self) -> int:
        """Open what has the path now, under the number that other threads may be using."""
        new = open_directory(self.path, trusted=self._trusted)  # may hang: nobody is to wait for it
        with self._lock:
            if self._is_closed:
                os.close(new)
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            if self._fd < 0:
                self._fd = new
            else:
                os.dup2(new, self._fd, inheritable=False)
                os.close(new)
            return self._fd

    def admit(self) -> None:
        """Raise NoRoomError while there is to be nothing more."""
        if self.exceeded:
            raise NoRoomError(self.exceeded)

    def create(self, connection: str, name: str) -> int:
        """Create a file, with the directory of its day if that is missing."""
        self.admit()
        return self._create(connection, name)

    def _create(self, connection: str, name: str) -> int:
        try:
            with self._day(connection) as day:
                return os.open(name, _NEW, _FILE_MODE, dir_fd=day)
        except FileNotFoundError:  # the day's directory has been removed
            self._keep(None)
        with self._day(connection) as day:
            return os.open(name, _NEW, _FILE_MODE, dir_fd=day)

    def create_at_root(self, name: str) -> int:
        """Create a file in the directory itself."""
        self.admit()
        self._follow()
        return os.open(name, _NEW, _FILE_MODE, dir_fd=self.root())

    def rename_at_root(self, name: str, new_name: str) -> None:
        """Give a file in the directory itself another name."""
        os.rename(name, new_name, src_dir_fd=self.root(), dst_dir_fd=self.root())

    def unlink_at_root(self, name: str) -> None:
        """Remove a file in the directory itself."""
        os.unlink(name, dir_fd=self.root())

    def rename(self, connection: str, name: str, new_name: str) -> None:
        """Give a file another name."""
        with self._day(connection) as day:
            os.rename(name, new_name, src_dir_fd=day, dst_dir_fd=day)

    def unlink(self, connection: str, name: str) -> None:
        """Remove a file."""
        with self._day(connection) as day:
            os.unlink(name, dir_fd=day)

    def try_out(self) -> None:
        """Write a file that has lost its name already."""
        self.admit()
        self._follow()
        name = f".trial-{os.getpid()}-{threading.get_native_id()}"
        fd = os.open(name, _NEW, _FILE_MODE, dir_fd=self.root())
        with os.fdopen(fd, "wb") as file:
            os.unlink(name, dir_fd=self.root())
            file.write(bytes(_TRIAL_BYTES))

    def write_record(self, connection: str, record: dict[str, object]) -> None:
        """Write a connection's record, whole or not at all."""
        name = connection + RECORD_SUFFIX
        part = name + PART_SUFFIX
        data = json.dumps(record, default=str, indent=1).encode() + b"\n"
        fd = self._create(connection, part)
        with self._day(connection) as day:
            try:
                _write_and_close(fd, data)
                os.rename(part, name, src_dir_fd=day, dst_dir_fd=day)
            except OSError:
                os.unlink(part, dir_fd=day)
                raise

    @contextmanager
    def _day(self, connection: str) -> Iterator[int]:
        day = self._use_day(day_of(connection))
        try:
            yield day.fd
        finally:
            self._leave(day)

    def _use_day(self, name: str) -> _Day:
        with self._lock:
            if self._kept is not None and self._kept.name == name:
                self._kept.users += 1
                return self._kept
        day = _Day(name, self._open_day(name))  # may hang
        self._keep(day)
        return day

    def _keep(self, day: _Day | None) -> None:
        """Keep a day's directory open instead of an earlier one; None: keep none."""
        with self._lock:
            before = self._kept
            if day is not None:
                if self._is_closed or (before is not None and before.name >= day.name):
                    return
                day.users += 1
            self._kept = day
        if before is not None:
            self._leave(before)

    def _leave(self, day: _Day) -> None:
        with self._lock:
            day.users -= 1
            is_unused = not day.users
        if is_unused:
            os.close(day.fd)

    def _open_day(self, name: str) -> int:
        try:
            return os.open(name, _DAY, dir_fd=self.root())
        except FileNotFoundError:
            self._follow()
        with suppress(FileExistsError):  # another thread or process has been faster
            os.mkdir(name, _DAY_MODE, dir_fd=self.root())
        return os.open(name, _DAY, dir_fd=self.root())

    def _follow(self) -> None:
        """Go on in what has the path now, if the directory itself has been removed."""
        if not os.fstat(self.root()).st_nlink:
            self._open()

    def close(self) -> None:
        """Close the descriptor; a thread that a disk holds up still meets EBADF then."""
        with self._lock:
            self._is_closed = True
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1
        self._keep(None)


def _write_and_close(fd: int, data: bytes) -> None:
    try:
        while data:
            data = data[os.write(fd, data) :]
    finally:
        os.close(fd)
