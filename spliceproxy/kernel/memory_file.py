"""Files without a name, which processes share by descriptor."""

import os
import tempfile

from spliceproxy.kernel.refusals import is_allowed


def make_memory_file(name: str) -> int:
    """Return the descriptor of an empty file in memory; where none may be had, of one on disk.

    That one has no name either, is its owner's alone, and goes with its last descriptor.

    Raises:
        OSError: neither can be had.
    """
    if is_allowed("memfd_create"):
        return os.memfd_create(name, os.MFD_CLOEXEC)
    try:
        with tempfile.TemporaryFile() as file:
            return os.dup(file.fileno())
    except OSError as error:
        why = f"memfd_create(2), and a temporary file in its place: {error.strerror}"
        raise OSError(error.errno, why) from None
