"""Directories that nobody else can redirect: opened step by step, with a look at their owners.

Whoever may write into a directory may rename what is in it, and put a symbolic link in its place.
So what is opened by a path belongs to all who may write into one of the directories on the way.
"""

import errno
import os
import stat
from collections import deque
from pathlib import Path

_MOST_LINKS = 40  # on one path, as for the kernel (path_resolution(7))
_STEP = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LAST = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class UntrustedDirectoryError(OSError):
    """Somebody else could put something else in a directory's place, or into it."""

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(errno.EPERM, why)
        self.remedy = remedy


def open_directory(path: str, *, private: bool = True, trusted: bool = False) -> int:
    """Return a descriptor of a directory; what is opened relative to it stays in it.

    Its last component must not be a symbolic link. Without `private` its group may write into it,
    or all may where each can remove only what is one's own (the sticky bit). With `trusted`
    nobody's rights are looked at.

    Raises:
        UntrustedDirectoryError: it, or a directory on the way, is another user's, or others may
            write into it.
        OSError: it cannot be opened.
    """
    fd = open_parent(path, trusted=trusted)
    try:
        opened = os.open(split(path)[1], _LAST, dir_fd=fd)
    finally:
        os.close(fd)
    try:
        if not trusted:
            check_directory(opened, str(Path(path).absolute()), private=private)
    except OSError:
        os.close(opened)
        raise
    return opened


def open_parent(path: str, *, trusted: bool = False) -> int:
    """Return a descriptor of the directory that a path's last component is in.

    Raises as `open_directory` does.
    """
    parent, _ = split(path)
    if trusted:
        return os.open(parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    return _walk(str(parent.absolute()))


def split(path: str) -> tuple[Path, str]:
    """Return the directory that a path's last component is in, and that component's name."""
    whole = Path(path)
    return (whole, ".") if whole.name in ("", "..") else (whole.parent, whole.name)


def _walk(path: str) -> int:
    """Open a directory by one component after the other, each in a directory that was checked."""
    todo, done, links = deque(path.split("/")), "", 0
    fd = os.open("/", _STEP)
    try:
        _check_step(fd, "/")
        while todo:
            name = todo.popleft()
            if name in ("", "."):
                continue
            if target := _read_link(fd, name, done):
                links += 1
                if links > _MOST_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                todo.extendleft(reversed(target.split("/")))
                name, done = ("/", "") if target.startswith("/") else (".", done)
            else:
                done = os.path.normpath(f"{done}/{name}")
            fd = _replace(fd, os.open(name, _STEP, dir_fd=fd))
            _check_step(fd, done or "/")
    except OSError:
        os.close(fd)
        raise
    return fd


def _replace(old: int, new: int) -> int:
    os.close(old)
    return new


def _read_link(fd: int, name: str, where: str) -> str:
    """Return where a symbolic link leads; "" where there is none."""
    found = os.stat(name, dir_fd=fd, follow_symlinks=False)
    if not stat.S_ISLNK(found.st_mode):
        return ""
    if found.st_uid not in (0, os.geteuid()):
        raise UntrustedDirectoryError(
            f"the symbolic link {where}/{name} belongs to user {found.st_uid}",
            "name the directory itself",
        )
    return os.readlink(name, dir_fd=fd)


def _check_step(fd: int, path: str) -> None:
    """Refuse a directory in which somebody else could rename what is on the way.

    Those that a group may write into are let through: /var/log is root:syslog 0775 on Ubuntu.
    """
    check_directory(fd, path, private=False)


def check_directory(fd: int, path: str, *, private: bool) -> None:
    """Refuse an open directory by its owner and permissions; see `open_directory`."""
    found = os.fstat(fd)
    if found.st_uid not in (0, os.geteuid()):
        raise UntrustedDirectoryError(
            f"{path} belongs to user {found.st_uid}, who could redirect what is written there",
            f"chown it to the proxy's user ({os.geteuid()})",
        )
    mode = stat.S_IMODE(found.st_mode)
    shared = mode & 0o022 if private else mode & 0o002 and not mode & stat.S_ISVTX
    if shared:
        remedy = "take a directory in it" if mode & stat.S_ISVTX else "chmod go-w it"
        raise UntrustedDirectoryError(f"others may write into {path} (mode {mode:04o})", remedy)
