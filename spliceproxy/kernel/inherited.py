"""Sockets that somebody else opened: a parent process, or systemd (sd_listen_fds(3))."""

import os
from collections.abc import Container, MutableMapping
from dataclasses import dataclass
from pathlib import Path

from spliceproxy.kernel.listening import is_listening_stream

_FIRST_FD = 3  # SD_LISTEN_FDS_START
_MOST_FDS = 4096
UNNAMED = "unknown"  # what systemd calls a socket without a name


@dataclass(frozen=True, slots=True)
class InheritedSockets:
    """What was open when the process started."""

    listening: frozenset[int] = frozenset()
    """The descriptors that clients can be accepted from."""
    passed: tuple[tuple[int, str], ...] = ()
    """Those that systemd has passed, each with its name."""

    def without(self, closed: Container[int]) -> "InheritedSockets":
        """Return what is left when some have been closed: their numbers mean others now."""
        return InheritedSockets(
            frozenset(fd for fd in self.listening if fd not in closed),
            tuple((fd, name) for fd, name in self.passed if fd not in closed),
        )


def find_inherited(environ: MutableMapping[str, str] = os.environ) -> InheritedSockets:
    """Look at what is open now, and take systemd's variables away from processes to come."""
    listening = frozenset(fd for fd in _candidates() if is_listening_stream(fd))
    for fd in listening:
        os.set_inheritable(fd, False)
    return InheritedSockets(listening, _passed(environ))


def _candidates() -> list[int]:
    """Return what may be open; without /proc only trying tells."""
    try:
        opened = sorted(int(entry.name) for entry in Path("/proc/self/fd").iterdir())
    except OSError:
        return list(range(_FIRST_FD, _FIRST_FD + _MOST_FDS))
    return [fd for fd in opened if fd >= _FIRST_FD]


def _passed(environ: MutableMapping[str, str]) -> tuple[tuple[int, str], ...]:
    given = {name: environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")}
    count = given["LISTEN_FDS"]
    if given["LISTEN_PID"] != str(os.getpid()):  # they are for another process
        return ()
    if not (count.isascii() and count.isdecimal() and len(count) <= len(str(_MOST_FDS))):
        return ()
    numbers = range(_FIRST_FD, _FIRST_FD + min(int(count), _MOST_FDS))
    names = given["LISTEN_FDNAMES"].split(":") if given["LISTEN_FDNAMES"] else []
    return tuple(
        (fd, names[index] if index < len(names) else UNNAMED) for index, fd in enumerate(numbers)
    )
