"""Keeping a process's memory to itself: no core dump, no look from outside (prctl(2)).

Whoever is not root may then not read its /proc/PID/mem, fd and maps, nor attach a debugger, even as
the same user. What forks from it is hidden too; execve(2) ends it.
"""

import ctypes
import os

_PR_GET_DUMPABLE, _PR_SET_DUMPABLE = 3, 4

_libc = ctypes.CDLL(None, use_errno=True)
_libc.prctl.argtypes = (ctypes.c_int, *(ctypes.c_ulong,) * 4)
_libc.prctl.restype = ctypes.c_int


def hide_memory() -> None:
    """Hide this process's memory, for it holds secrets.

    Raises:
        OSError: a filter of system calls refuses it.
    """
    if _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl(PR_SET_DUMPABLE): {os.strerror(number)}")


def is_memory_hidden() -> bool:
    """Whether it is; also after a change of the user, which fs.suid_dumpable is for (proc(5))."""
    return int(_libc.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0)) == 0
