"""The parts of root's power, and how a process gives them up for good (capabilities(7))."""

import ctypes
import os
from collections.abc import Collection
from enum import IntEnum


class Capability(IntEnum):
    """Those that are of use here, by their bits (linux/capability.h)."""

    CHOWN = 0
    DAC_OVERRIDE = 1
    FOWNER = 3
    KILL = 5
    SETGID = 6
    SETUID = 7
    SETPCAP = 8
    NET_BIND_SERVICE = 10
    SYS_PTRACE = 19
    SYS_RESOURCE = 24


_PR_CAPBSET_READ, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 23, 24, 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_VERSION_3 = 0x20080522
_WORD_BITS = 32


class _Header(ctypes.Structure):
    """struct __user_cap_header_struct of <linux/capability.h>."""

    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    """struct __user_cap_data_struct."""

    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


# glibc and musl have capget and capset, but declare them nowhere: they are meant for libcap.
_libc = ctypes.CDLL(None, use_errno=True)
_libc.prctl.argtypes = (ctypes.c_int, *(ctypes.c_ulong,) * 4)
_libc.prctl.restype = ctypes.c_int


def forbid_new_privileges() -> None:
    """See to it that no program which this process starts gains rights (PR_SET_NO_NEW_PRIVS).

    Raises:
        OSError: as prctl(2).
    """
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def permitted_capabilities() -> int:
    """Return the bits of what this process may do.

    Raises:
        OSError: as capget(2).
    """
    data = (_Data * 2)()  # version 3 has two, the lower bits first
    if _libc.capget(ctypes.byref(_Header(_VERSION_3, 0)), data) < 0:
        raise _last_error()
    return int(data[0].permitted) | int(data[1].permitted) << _WORD_BITS


def has_capabilities(wanted: Collection[Capability]) -> bool:
    """Whether this process has all of them."""
    return not bits(wanted) & ~permitted_capabilities()


def bits(capabilities: Collection[Capability]) -> int:
    """Return them as the kernel writes them."""
    return sum(1 << capability for capability in set(capabilities))


def limit_programs(kept: Collection[Capability]) -> None:
    """See to it that programs which this process starts never have others, for good.

    This is the bounding set, which takes CAP_SETPCAP. Who lacks that is no root that a program
    could give back its rights, and `forbid_new_privileges` holds back those with rights of their
    own.

    Raises:
        OSError: as prctl(2).
    """
    if not has_capabilities([Capability.SETPCAP]):
        return
    number = 0
    # EINVAL: the kernel knows no more of them.
    while (held := _libc.prctl(_PR_CAPBSET_READ, number, 0, 0, 0)) >= 0:
        if held and not bits(kept) >> number & 1:
            _prctl(_PR_CAPBSET_DROP, number)
        number += 1


def keep_capabilities(kept: Collection[Capability]) -> None:
    """Give up all others for good, and hand on none.

    Raises:
        OSError: as prctl(2) and capset(2).
    """
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    left = permitted_capabilities() & bits(kept)
    data = (_Data * 2)()
    for number in range(2):
        word = left >> number * _WORD_BITS & (1 << _WORD_BITS) - 1
        data[number] = _Data(word, word, 0)
    if _libc.capset(ctypes.byref(_Header(_VERSION_3, 0)), data) < 0:
        raise _last_error()


def _prctl(operation: int, argument: int) -> None:
    if _libc.prctl(operation, argument, 0, 0, 0) < 0:
        raise _last_error()


def _last_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
