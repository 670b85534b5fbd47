"""A ring with a name, for two programs that know nothing of each other but that name.

The memory is a file in /dev/shm, as shm_open(3) makes it. (`multiprocessing.shared_memory` makes
the same; but before Python 3.13 the first of two programs that ends takes the name from the other.)

An end locks a byte of the file for as long as it lives. The kernel ends a lock with its process,
however that ends, and tells whose it is (F_GETLK, fcntl_locking(2)): so nothing that stands in the
memory has to be believed about who is there. The second end takes the name away once it has come,
and memory without a name goes with the last who has it mapped. A name is therefore left by one
thing only: an end that is killed while it waits for the other. Whoever comes next sees a file that
nobody holds, and takes a new one.

The memory cannot be sealed as a memfd is: a process of the same user that cuts the file kills both
ends with SIGBUS.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import IntEnum
from pathlib import Path

from tools.companions.ring import memory
from tools.companions.ring.counters import PolledCounter, require_ordered_stores
from tools.companions.ring.ends import Reader, Writer
from tools.companions.ring.errors import RingError, RingTimeoutError

DIRECTORY = Path("/dev/shm")  # noqa: S108 - where shm_open(3) has its names
PREFIX = "spliceproxy-ring-"

_NAMES = re.compile(r"[\w.-]{1,64}", re.ASCII)
_FLOCK = "hhqqi4x"
"""struct flock of <fcntl.h>, which Python asks for with 64-bit offsets everywhere."""
_LOOK_S = 0.02

Say = Callable[[str], None]


class Role(IntEnum):
    """An end, by the byte that it locks."""

    WRITER = 0
    READER = 1

    @property
    def other(self) -> Role:
        return Role(1 - self)

    def __str__(self) -> str:
        return self.name.lower()


def path_of(name: str) -> Path:
    """Return where the memory of that name is.

    Raises:
        RingError: it is no name.
    """
    if not _NAMES.fullmatch(name):
        raise RingError(f"{name!r} is no name: use up to 64 letters, digits, dots, dashes and _")
    return DIRECTORY / f"{PREFIX}{name}"


@contextmanager
def writer(name: str, capacity_bytes: int, timeout_s: float, say: Say) -> Iterator[Writer]:
    """Be the writing end, once there is a reader. An exception leaves the stream open: it is cut.

    Raises:
        RingError: there is another writer, or the memory cannot be had.
        RingTimeoutError: no reader came.
    """
    with (
        _joined(name, Role.WRITER, capacity_bytes, timeout_s, say) as (fd, peer_fd),
        memory.parts(memory.mapped(fd)) as (shared, filled, freed),
    ):
        end = Writer(shared, PolledCounter(freed), PolledCounter(filled), peer_fd)
        yield end
        end.close()


@contextmanager
def reader(name: str, capacity_bytes: int, timeout_s: float, say: Say) -> Iterator[Reader]:
    """Be the reading end, once there is a writer.

    Raises:
        RingError: there is another reader, or the memory cannot be had.
        RingTimeoutError: no writer came.
    """
    with (
        _joined(name, Role.READER, capacity_bytes, timeout_s, say) as (fd, peer_fd),
        memory.parts(memory.mapped(fd)) as (shared, filled, freed),
    ):
        end = Reader(shared, PolledCounter(filled), PolledCounter(freed), peer_fd)
        try:
            yield end
        finally:
            end.close()


@contextmanager
def _joined(
    name: str, role: Role, capacity_bytes: int, timeout_s: float, say: Say
) -> Iterator[tuple[int, int]]:
    """Yield the memory, and what becomes readable when the other end's process has ended.

    `capacity_bytes` counts for the end that comes first.
    """
    require_ordered_stores(instead="use a pipe or a socket")
    path = path_of(name)
    fd = _opened(path, role, capacity_bytes, say)
    try:
        peer_fd = _await_peer(fd, path, role, timeout_s, say)
        try:
            yield fd, peer_fd
        finally:
            os.close(peer_fd)
    finally:
        with _alone(fd):
            if _has_name(fd, path):
                path.unlink()
        os.close(fd)


def _opened(path: Path, role: Role, capacity_bytes: int, say: Say) -> int:
    """Open the memory that the other end waits with, or make some; and lock this end's byte."""
    while True:
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:  # EACCES: another user's (fs.protected_regular); ELOOP: a link
            raise RingError(f"{path}: {error.strerror}") from error
        try:
            with _alone(fd):
                if _has_name(fd, path) and _taken(fd, path, role, capacity_bytes, say):
                    return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _taken(fd: int, path: Path, role: Role, capacity_bytes: int, say: Say) -> bool:
    """Take this memory; False if it was left behind, and its name is free now."""
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
        raise RingError(f"{path} is not this user's; take another name")
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, role)
    except BlockingIOError:
        raise RingError(
            f"{path}: another {role} is there, process {_holder(fd, role)}; take another name"
        ) from None
    if _holder(fd, role.other) is not None:
        path.unlink()
        return True
    if status.st_size:
        say(f"{path}: left by a process that was killed while it waited; made anew")
        path.unlink()
        return False
    os.ftruncate(fd, memory.size_of(capacity_bytes))
    return True


def _await_peer(fd: int, path: Path, role: Role, timeout_s: float, say: Say) -> int:
    """Wait for the other end's lock; a descriptor that is readable once its process has ended.

    The second end locks before it takes the name away. So without a name somebody has come; and
    if nobody holds the lock then, has gone again: all that it had to say is in the memory.
    """
    deadline_s = time.monotonic() + timeout_s
    has_told = False
    while True:
        has_come = not _has_name(fd, path)
        pid = _holder(fd, role.other)
        if pid is not None:
            return _watched(fd, pid, role.other)
        if has_come:
            return os.eventfd(1, os.EFD_CLOEXEC)
        if not has_told:
            say(f"{path}: waiting for a {role.other}")
            has_told = True
        if time.monotonic() > deadline_s:
            raise RingTimeoutError(timeout_s)
        time.sleep(_LOOK_S)


def _watched(fd: int, pid: int, role: Role) -> int:
    """Return a pidfd of who holds a lock, or what stands for one that has ended."""
    if not pid:
        raise RingError(f"the {role} is in another PID namespace, where its end cannot be seen")
    with suppress(ProcessLookupError):
        peer_fd = os.pidfd_open(pid)
        if _holder(fd, role) == pid:
            return peer_fd
        os.close(peer_fd)  # it has ended, and its number may be another's
    return os.eventfd(1, os.EFD_CLOEXEC)


@contextmanager
def _alone(fd: int) -> Iterator[None]:
    """Let one process at a time come and go (flock(2), which the locks of bytes don't touch)."""
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(fd, fcntl.LOCK_UN)


def _has_name(fd: int, path: Path) -> bool:
    """Whether this file is still what the name leads to."""
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except FileNotFoundError:
        return False


def _holder(fd: int, role: Role) -> int | None:
    """Return the process that locks an end's byte; 0 where this namespace has no number for it."""
    asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, role, 1, 0)
    kind, _whence, _start, _length, pid = struct.unpack(
        _FLOCK, fcntl.fcntl(fd, fcntl.F_GETLK, asked)
    )
    return None if kind == fcntl.F_UNLCK else pid
