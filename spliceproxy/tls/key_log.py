"""The file of `tls_key_log`: what others need to read recorded TLS (NSS Key Log Format)."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from spliceproxy.errors import StartProblem

_OPEN = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@contextmanager
def opened_key_log(path: str | None) -> Iterator[str | None]:
    """Yield a path to write keys to, inside the block; None where they are not wanted.

    The file is made if it is not there, for nobody but this user.

    Raises:
        StartProblem: it cannot be opened, or others may read or change it.
    """
    if path is None:
        yield None
        return
    try:
        fd = os.open(path, _OPEN, 0o600)
    except OSError as error:
        raise StartProblem(
            f"tls_key_log: cannot open {path} ({error.strerror})", "check path and rights"
        ) from None
    try:
        _check(path, os.fstat(fd))
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)


def _check(path: str, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise StartProblem(f"tls_key_log: {path} is not a file", "name one, or none yet")
    if found.st_uid != os.geteuid() or found.st_mode & _OTHERS:
        raise StartProblem(
            f"tls_key_log: {path} is not for this user alone (user {found.st_uid}, mode "
            f"{stat.S_IMODE(found.st_mode):04o})",
            "chmod 0600, or remove it",
        )
