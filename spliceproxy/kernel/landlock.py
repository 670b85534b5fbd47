"""Landlock: a process gives up files for good, whoever owns them (landlock(7)).

What is open stays open. Paths may be looked up and files be told of by stat(2) as before; what is
held back is reading, writing, executing, and changes of directories.
"""

import contextlib
import ctypes
import os
import stat
from collections.abc import Iterable, Mapping
from enum import IntFlag


class FileAccess(IntFlag):
    """What may be done to files (linux/landlock.h)."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    REMOVE_DIR = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_CHAR = 1 << 6
    MAKE_DIR = 1 << 7
    MAKE_REG = 1 << 8
    MAKE_SOCK = 1 << 9
    MAKE_FIFO = 1 << 10
    MAKE_BLOCK = 1 << 11
    MAKE_SYM = 1 << 12
    REFER = 1 << 13
    """Move from one directory into another."""
    TRUNCATE = 1 << 14
    IOCTL_DEV = 1 << 15


READ = FileAccess.READ_FILE | FileAccess.READ_DIR
CHANGE = (
    READ
    | FileAccess.WRITE_FILE
    | FileAccess.TRUNCATE
    | FileAccess.MAKE_REG
    | FileAccess.MAKE_DIR
    | FileAccess.REMOVE_FILE
    | FileAccess.REMOVE_DIR
    | FileAccess.REFER
)
"""Files and directories come, go and change, none of them with another meaning than their bytes."""

_OF_FILES = (
    FileAccess.EXECUTE
    | FileAccess.WRITE_FILE
    | FileAccess.READ_FILE
    | FileAccess.TRUNCATE
    | FileAccess.IOCTL_DEV
)
"""What a rule for a file may allow: others are EINVAL."""

_FIRST_ABI = (1 << 13) - 1
_ADDED = {2: FileAccess.REFER, 3: FileAccess.TRUNCATE, 5: FileAccess.IOCTL_DEV}
"""By the ABI that has them first. Without `REFER` moves between directories are all refused."""
_NETWORK_ABI, _SCOPE_ABI = 4, 6
"""The ABIs that made the description of a ruleset longer."""
_SCOPE_ABSTRACT_UNIX_SOCKET, _SCOPE_SIGNAL = 1 << 0, 1 << 1
"""Neither is possible any more towards processes outside of what is held back."""

# The same numbers on every architecture that Python runs on (asm-generic/unistd.h).
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_CREATE_RULESET_VERSION = 1 << 0
_RULE_PATH_BENEATH = 1


class _RulesetAttr(ctypes.Structure):
    """struct landlock_ruleset_attr of <linux/landlock.h>."""

    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneathAttr(ctypes.Structure):
    """struct landlock_path_beneath_attr."""

    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

Argument = int | ctypes.Structure | None


def system_call(number: int, *arguments: Argument) -> int:
    """Make a call for which the C library has no function; where a test can put another kernel.

    Raises:
        OSError: as the call.
    """
    passed = [
        ctypes.byref(one) if isinstance(one, ctypes.Structure) else ctypes.c_void_p(one)
        for one in arguments
    ]
    answer: int = _libc.syscall(ctypes.c_long(number), *passed)
    if answer < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return answer


def find_abi() -> int:
    """Return the version of Landlock that the kernel has; 0 where it has none, or it is off."""
    try:
        return system_call(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)
    except OSError:  # ENOSYS, EOPNOTSUPP; EPERM of a seccomp filter
        return 0


def handled_access(abi: int) -> FileAccess:
    """Return all that a version can hold back."""
    added = (access for since, access in _ADDED.items() if since <= abi)
    return FileAccess(sum(added, start=_FIRST_ABI))


def restrict_files(
    allowed: Mapping[str, FileAccess], abi: int, *, reach_abstract_sockets: bool = False
) -> None:
    """Give up all files but those at and below these paths, with what may be done to them.

    A path that is not there, or that this user cannot reach, allows nothing. It concerns the
    calling thread and what it starts from now on; `forbid_new_privileges` comes before.

    Raises:
        OSError: as landlock_create_ruleset(2) and its neighbours.
    """
    handled = handled_access(abi)
    scopes = _SCOPE_SIGNAL | (0 if reach_abstract_sockets else _SCOPE_ABSTRACT_UNIX_SOCKET)
    attributes = _RulesetAttr(handled, 0, scopes if abi >= _SCOPE_ABI else 0)
    words = 1 + (abi >= _NETWORK_ABI) + (abi >= _SCOPE_ABI)
    ruleset_fd = system_call(_CREATE_RULESET, attributes, 8 * words, 0)
    try:
        _add_rules(ruleset_fd, ((path, access & handled) for path, access in allowed.items()))
        system_call(_RESTRICT_SELF, ruleset_fd, 0)
    finally:
        os.close(ruleset_fd)


def _add_rules(ruleset_fd: int, allowed: Iterable[tuple[str, FileAccess]]) -> None:
    for path, access in allowed:
        with contextlib.suppress(FileNotFoundError, PermissionError, NotADirectoryError):
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
            try:
                is_directory = stat.S_ISDIR(os.fstat(fd).st_mode)
                rule = _PathBeneathAttr(access if is_directory else access & _OF_FILES, fd)
                system_call(_ADD_RULE, ruleset_fd, _RULE_PATH_BENEATH, rule, 0)
            finally:
                os.close(fd)
