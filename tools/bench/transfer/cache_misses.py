"""Cache misses of this process, where the processor counts them (perf_event_open(2)).

Most virtual machines have no such counter (ENOENT), sandboxes refuse the call, and users without
rights would get those outside the kernel alone, where these works do next to nothing (EACCES from
kernel.perf_event_paranoid 2 on).
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from typing import NamedTuple


class Event(NamedTuple):
    """A kind of event, and which of that kind (linux/perf_event.h)."""

    kind: int
    number: int


CACHE_MISSES = Event(0, 3)  # PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES
PAGE_FAULTS = Event(1, 2)  # PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS

_PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241}  # asm/unistd_64.h, asm-generic/unistd.h
_ATTRIBUTES = struct.Struct("=IIQQQQQIIQ")  # struct perf_event_attr of the first version
_INHERIT = 1 << 1  # threads that are made later, such as those of io_uring
_CLOSE_ON_EXEC = 1 << 3
_THIS_PROCESS, _ANY_CPU, _NO_GROUP = 0, -1, -1

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class EventCounter:
    """Counts from when it is made; its descriptor goes with `close`."""

    def __init__(self, event: Event = CACHE_MISSES) -> None:
        """Start to count.

        Raises:
            OSError: this machine does not count them, or not for this user.
        """
        number = _PERF_EVENT_OPEN.get(os.uname().machine)
        if number is None:
            raise OSError(errno.ENOSYS, "the call's number on this processor is not known")
        size = _ATTRIBUTES.size
        attributes = ctypes.create_string_buffer(
            _ATTRIBUTES.pack(event.kind, size, event.number, 0, 0, 0, _INHERIT, 0, 0, 0), size
        )
        whom = (_THIS_PROCESS, _ANY_CPU, _NO_GROUP)
        result = _libc.syscall(
            ctypes.c_long(number),
            ctypes.byref(attributes),
            *map(ctypes.c_int, whom),
            ctypes.c_ulong(_CLOSE_ON_EXEC),
        )
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        self._fd = result

    def read(self) -> int:
        """Return how many there were so far."""
        (count,) = struct.unpack("Q", os.read(self._fd, 8))
        return int(count)

    def close(self) -> None:
        os.close(self._fd)


def open_counter() -> EventCounter | None:
    """Return a counter, None where there is none."""
    try:
        return EventCounter()
    except OSError:
        return None


def why_not_counted() -> str:
    """Return why there is no such counter here, empty where there is one."""
    try:
        EventCounter().close()
    except OSError as error:
        return f"perf_event_open(2): {errno.errorcode.get(error.errno or 0, error)}"
    return ""
