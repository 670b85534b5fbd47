"""Files that commands write: each gets its name when all is in it, or never."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_NAME_BYTES = 200  # of 255 that a name may have, most file systems say


@contextmanager
def appearing_file(path: Path, mode: int = 0o600) -> Iterator[IO[bytes]]:
    """Write a file; what is there and no regular file, such as a pipe, is written to as it is.

    `mode` is for a new file; by default its owner alone may read it, as all copies of traffic.

    Raises:
        OSError: it cannot be written.
    """
    if _is_special(path):
        with path.open("wb") as file:
            yield file
        return
    path = path.resolve()
    hidden = path.with_name(f".{path.name[:_MOST_NAME_BYTES]}-{secrets.token_hex(4)}")
    fd = os.open(hidden, _NEW, mode)
    try:
        with os.fdopen(fd, "wb") as file:
            yield file
            file.flush()
            os.fsync(fd)
        hidden.replace(path)
    except BaseException:
        hidden.unlink(missing_ok=True)
        raise


def _is_special(path: Path) -> bool:
    """Whether it is there, and no file that another one could take the place of."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return False
