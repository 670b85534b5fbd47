"""A log file, which several processes append to, and which may be opened again by its name."""

import errno
import os
import stat

from spliceproxy.kernel.trusted_directory import check_directory, split

_MODE = 0o640  # an administrator's group may read it, as Debian's logs under /var/log
# Not to wait (O_NONBLOCK) is for a FIFO of that name, which is refused.
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_FLAGS |= os.O_NOCTTY | os.O_NONBLOCK


class LogFile:
    """Whole lines stay whole: each write appends at once what it is given (write(2), O_APPEND).

    There is always room, so nobody waits for it; a disk that hangs holds its writer up, though,
    once the page cache has taken what it may.
    """

    chunk_bytes = 1 << 16

    def __init__(self, path: str) -> None:
        self.path = path
        self.fd = _open(path)

    def send(self, chunk: bytes) -> int:
        """Append; less than all is taken only by a disk that has just become full."""
        return os.write(self.fd, chunk)

    def reopen(self) -> int:
        """Go on in what has the file's name now, unless it is closed here.

        Returns a second descriptor of it, for the caller to close. OSError leaves everything as it
        was.
        """
        fd = _open(self.path)
        self.go_on_in(fd)
        return fd

    def go_on_in(self, fd: int) -> None:
        """Go on in another file, unless it is closed here."""
        if self.fd >= 0:
            os.dup2(fd, self.fd, inheritable=False)

    def close(self) -> None:
        """Close the file; later sends meet EBADF."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _open(path: str) -> int:
    """Open for appending; refuse what somebody else could have put, or could put, in its place."""
    parent, name = split(path)
    directory = os.open(parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if _is_privileged():
            check_directory(directory, str(parent), private=False)
        fd = os.open(name, _FLAGS, _MODE, dir_fd=directory)
    finally:
        os.close(directory)
    try:
        _check(fd)
    except OSError:
        os.close(fd)
        raise
    return fd


def _check(fd: int) -> None:
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    if not _is_privileged():
        return
    if found.st_uid != os.geteuid():
        raise OSError(errno.EPERM, f"the file belongs to user {found.st_uid}")
    if found.st_nlink > 1:
        raise OSError(errno.EPERM, "the file has another name too, a hard link")


def _is_privileged() -> bool:
    """Whether this process may write where others who share a directory with it may not."""
    return os.geteuid() == 0
