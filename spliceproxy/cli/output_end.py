"""What becomes of output that cannot be written."""

import errno
import os
import sys

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def output_trouble(problem: Exception) -> str:
    """Return why the standard output cannot be written, or "".

    Problems with files that have names are for the commands to tell.
    """
    if isinstance(problem, OSError) and problem.errno in _NO_ROOM and problem.filename is None:
        return os.strerror(problem.errno)
    return ""


def discard_output() -> None:
    """Let go what is buffered: Python would write it at its end, and complain."""
    null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
