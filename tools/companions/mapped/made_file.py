"""Files of a size, made to be mapped and removed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def made(directory: Path, size_bytes: int) -> Iterator[tuple[Path, int]]:
    """Make a file with blocks for all of it; its path, and a descriptor to read and write.

    ftruncate(2) gives a file its size and no block: a store through a map takes one when it is
    written to, and where the disk is full there is no call that could fail, so it ends in SIGBUS.
    posix_fallocate(3) has them before, or raises.

    Raises:
        OSError: the directory takes no such file.
    """
    fd, name = tempfile.mkstemp(prefix="mapped-", dir=directory)
    path = Path(name)
    try:
        os.ftruncate(fd, size_bytes)
        os.posix_fallocate(fd, 0, size_bytes)
        yield path, fd
    finally:
        os.close(fd)
        path.unlink(missing_ok=True)
