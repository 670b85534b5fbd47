"""What a sandbox, a limit or a bare system may refuse, tried out and told in one line.

Seccomp filters of containers and of service managers answer EPERM or ENOSYS for a call that they
do not know (seccomp(2)).
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from spliceproxy.errors import StartProblem

SANDBOXED = frozenset({errno.EPERM, errno.EACCES, errno.ENOSYS})
"""What sandboxes answer for a call that they do not allow."""

PROCESS_REMEDY = (
    "allow more processes and threads: pids.max of the control group (TasksMax= of systemd, "
    "--pids-limit of containers), or ulimit -u of the user"
)
CALL_REMEDY = "allow it in the sandbox's seccomp profile"


def _pidfd_open() -> None:
    os.close(os.pidfd_open(os.getpid()))


def _memfd_create() -> None:
    os.close(os.memfd_create("spliceproxy-trial", os.MFD_CLOEXEC))


def _pipe2() -> None:
    for fd in os.pipe2(os.O_CLOEXEC):
        os.close(fd)


def _eventfd() -> None:
    os.close(os.eventfd(0, os.EFD_CLOEXEC))


CALLS: dict[str, Callable[[], None]] = {
    "pidfd_open": _pidfd_open,
    "memfd_create": _memfd_create,
    "pipe2": _pipe2,
    "eventfd2": _eventfd,
}
"""Calls that a profile may lack, though all kernels have had them for years; each with its trial,
which leaves nothing behind and raises OSError as the call."""


@cache
def is_allowed(call: str) -> bool:
    """Whether this process may make a call of `CALLS`; asked once, since no filter is ever lifted.

    Raises:
        OSError: it is short of descriptors or memory, so that nobody knows.
    """
    try:
        CALLS[call]()
    except OSError as error:
        if error.errno in SANDBOXED:
            return False
        raise
    return True


def require(call: str, what_for: str) -> None:
    """Refuse to go on without a call.

    Raises:
        StartProblem: it is refused; names it, and what it is needed for.
    """
    with told_as(f"{call}(2), {what_for}"):
        CALLS[call]()


@contextmanager
def told_as(what: str) -> Iterator[None]:
    """Turn an OSError inside into the problem that the system refuses this."""
    try:
        yield
    except OSError as error:
        raise refused(what, error) from None


def refused(what: str, error: OSError) -> StartProblem:
    """Return the problem that the system refuses something, with the remedy for the errno."""
    remedy = {
        errno.EAGAIN: PROCESS_REMEDY,
        errno.EMFILE: "raise the limit on open files (ulimit -n)",
        errno.ENFILE: "raise the limit on the open files of all processes (fs.file-max)",
        errno.ENOMEM: "make more memory available",
        errno.ENOSPC: "make room on the disk",
    }.get(error.errno or 0, CALL_REMEDY)
    return StartProblem(f"the system refuses {what} ({error.strerror or error})", remedy)
