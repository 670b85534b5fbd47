"""Whether somebody holds a lock on a file (flock(2)): it ends with the process that took it."""

import fcntl
import os

_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def is_locked(fd: int) -> bool:
    """Return whether somebody else holds an exclusive lock on an open file."""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False


def is_locked_at(name: str, dir_fd: int | None = None) -> bool:
    """Return whether somebody holds an exclusive lock on a file; not if it cannot be opened."""
    try:
        fd = os.open(name, _OPEN, dir_fd=dir_fd)
    except OSError:
        return False
    try:
        return is_locked(fd)
    finally:
        os.close(fd)
