"""What a file is like now, as far as it tells whether it has changed."""

import os

Signature = tuple[int, ...]
"""Empty: there is no file, or it cannot be asked about."""


def signature_of(path: str) -> Signature:
    """Return what changes with a file, or with the names in a directory. Can block."""
    try:
        found = os.stat(path)  # noqa: PTH116 - of a text, thousands of times
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
