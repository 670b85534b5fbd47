"""How little a process asks of the machine: of its processors, and of its disks."""

import ctypes
import os
from contextlib import suppress

_NICEST = 19
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30, "riscv64": 30, "ppc64le": 273, "s390x": 282}
"""By architecture (asm/unistd.h); the C library has no function for it (ioprio_set(2))."""
_OF_PROCESS, _IDLE_CLASS = 1, 3 << 13  # IOPRIO_WHO_PROCESS; IOPRIO_CLASS_IDLE << IOPRIO_CLASS_SHIFT

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def take_what_others_leave() -> None:
    """Run when nobody else wants to, and let others go first at the disk, as far as may be.

    What is refused, as by a filter of system calls, is left: it costs others a little then.
    """
    with suppress(OSError):
        os.nice(_NICEST)
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    number = _IOPRIO_SET.get(os.uname().machine)
    if number is not None:  # not every scheduler of disks has classes (ioprio_set(2))
        _libc.syscall(
            ctypes.c_long(number),
            ctypes.c_long(_OF_PROCESS),
            ctypes.c_long(0),
            ctypes.c_long(_IDLE_CLASS),
        )
