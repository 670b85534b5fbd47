"""Opening files below a directory, and nothing outside it, whatever its symbolic links say."""

import ctypes
import errno
import os
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from spliceproxy.errors import StartProblem
from tools.companions.origin.refusals import Refusal

_OPENAT2 = 437  # the number is the same on every architecture but alpha (openat2(2), Linux 5.6)
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_BENEATH = 0x08
_MOST_TRIES = 10  # a rename next to a lookup of ".." makes it EAGAIN (openat2(2))

# O_NONBLOCK: opening a FIFO must not wait for its writer.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY

_STATUSES = {
    errno.ENOENT: HTTPStatus.NOT_FOUND,
    errno.ENOTDIR: HTTPStatus.NOT_FOUND,
    errno.ENAMETOOLONG: HTTPStatus.NOT_FOUND,
    errno.EACCES: HTTPStatus.FORBIDDEN,
    errno.EPERM: HTTPStatus.FORBIDDEN,
    errno.ELOOP: HTTPStatus.FORBIDDEN,
    errno.EXDEV: HTTPStatus.FORBIDDEN,  # RESOLVE_BENEATH: the path leads out of the root
    errno.ENXIO: HTTPStatus.FORBIDDEN,  # a socket, or a device without a driver
    errno.ENODEV: HTTPStatus.FORBIDDEN,
    errno.EMFILE: HTTPStatus.SERVICE_UNAVAILABLE,
    errno.ENFILE: HTTPStatus.SERVICE_UNAVAILABLE,
    errno.ENOMEM: HTTPStatus.SERVICE_UNAVAILABLE,
}

_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    """struct open_how (linux/openat2.h)."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


_BENEATH = _OpenHow(_FLAGS, 0, _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS)


def _open_following(directory_fd: int, path: bytes) -> int:
    return os.open(path, _FLAGS, dir_fd=directory_fd)


def _open_beneath(directory_fd: int, path: bytes) -> int:
    """Let the kernel refuse every way out: relative and absolute links, and races with renames."""
    number = errno.EAGAIN
    for _attempt in range(_MOST_TRIES):
        fd: int = _libc.syscall(
            ctypes.c_long(_OPENAT2),
            ctypes.c_int(directory_fd),
            ctypes.c_char_p(path),
            ctypes.byref(_BENEATH),
            ctypes.c_size_t(ctypes.sizeof(_BENEATH)),
        )
        if fd >= 0:
            return fd
        number = ctypes.get_errno()
        if number not in (errno.EAGAIN, errno.EINTR):
            break
    raise OSError(number, os.strerror(number))


class Root:
    """An open directory that is served."""

    def __init__(self, directory: Path, *, follows_links: bool = False) -> None:
        """Open it.

        Raises:
            StartProblem: there is no such directory, or the kernel cannot hold lookups below it.
        """
        self._open: Callable[[int, bytes], int] = (
            _open_following if follows_links else _open_beneath
        )
        try:
            self._fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise StartProblem(
                f"the root {directory} cannot be opened: {error.strerror}", "name a directory"
            ) from error
        try:
            os.close(self._open(self._fd, b"."))
        except OSError as error:
            self.close()
            raise StartProblem(
                f"openat2 is refused here: {error.strerror}",
                "Linux 5.6 or newer has it; or start with --follow, which trusts the root's links",
            ) from error

    def open(self, path: bytes) -> int:
        """Open a file or a directory for reading; `path` is relative and has no dot segments.

        Raises:
            Refusal: the status that the errno stands for.
            OSError: any other errno, such as EIO.
        """
        try:
            return self._open(self._fd, path)
        except OSError as error:
            status = _STATUSES.get(error.errno or 0)
            if status is None:
                raise
            raise Refusal(status) from error

    def close(self) -> None:
        """Close the directory."""
        os.close(self._fd)
