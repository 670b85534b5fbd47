"""A log file, which several processes append to, and which may be opened again by its name."""

import errno
import os
import stat

_MODE = 0o640  # an administrator's group may read it, as Debian's logs under /var/log
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK


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

    def reopen(self) -> None:
        """Go on in what has the file's name now; OSError leaves everything as it was."""
        if self.fd < 0:
            return
        fd = _open(self.path)
        os.dup2(fd, self.fd, inheritable=False)
        os.close(fd)

    def close(self) -> None:
        """Close the file; later sends meet EBADF."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _open(path: str) -> int:
    # Not to wait (O_NONBLOCK) is for a FIFO of that name, which is refused.
    fd = os.open(path, _FLAGS, _MODE)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "not a regular file")
    return fd
