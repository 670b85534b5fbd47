"""The two system calls of io_uring(7), and what a refusal means.

The relay does not use it; docs/design.md says why. `doctor` tells whether it is there, and
`bench transfer` measures it.
"""

import ctypes
import errno
import os

PARAMS_BYTES = 120
"""struct io_uring_params of <linux/io_uring.h>."""

DISABLED_SETTING = "kernel.io_uring_disabled"
"""0: for everybody, 1: for the privileged and for `kernel.io_uring_group`, 2: for nobody; since
Linux 6.6 (io_uring_setup(2))."""

_SETUP, _ENTER = 425, 426  # on every architecture but Alpha (asm-generic/unistd.h)
_ENTER_GETEVENTS = 1

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def setup(entries: int, params: bytearray) -> int:
    """Make a ring of so many entries; its descriptor, which execve(2) closes.

    ``params`` has `PARAMS_BYTES`; the kernel writes there where the parts of the ring are.

    Raises:
        OSError: as io_uring_setup(2); `explain` says what it means.
    """
    address = ctypes.byref(ctypes.c_char.from_buffer(params))
    return _call(_SETUP, ctypes.c_uint(entries), address)


def enter(ring_fd: int, submitted: int, awaited: int) -> int:
    """Hand over so many entries and wait for so many completions; how many were taken.

    Raises:
        OSError: as io_uring_enter(2).
    """
    numbers = (ctypes.c_uint(submitted), ctypes.c_uint(awaited), ctypes.c_uint(_ENTER_GETEVENTS))
    return _call(_ENTER, ctypes.c_int(ring_fd), *numbers, None, ctypes.c_size_t(0))


def explain(error: OSError, disabled: int | None) -> str:
    """Say what a refused `setup` means where `DISABLED_SETTING` has that value (None: no such)."""
    name = errno.errorcode.get(error.errno or 0, str(error))
    match error.errno:
        case errno.ENOSYS:
            why = "this kernel was built without it, or a sandbox hides it"
        case errno.EPERM if disabled:
            whom = "for everybody" if disabled > 1 else "for users without privileges"
            why = f"{DISABLED_SETTING} is {disabled}, which turns it off {whom}"
        case errno.EPERM | errno.EACCES:
            why = "a sandbox does not allow it"
        case _:
            why = (error.strerror or "for no known reason").lower()
    return f"io_uring_setup(2) is refused with {name}: {why}"


def _call(number: int, *arguments: object) -> int:
    result: int = _libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
