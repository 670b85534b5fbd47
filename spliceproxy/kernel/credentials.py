"""Being another user: for good, or for a moment (credentials(7))."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from spliceproxy.kernel.hidden_memory import hide_memory, is_memory_hidden
from spliceproxy.kernel.trusted_directory import open_parent

_PRIVATE = 0o700


@dataclass(frozen=True, slots=True)
class Identity:
    """A user, with the groups that count."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    """Beside the main one."""
    name: str
    home: str

    @property
    def is_current(self) -> bool:
        """Whether this process runs as that user and group already; others are not asked."""
        return os.getresuid() == (self.uid,) * 3 and os.getresgid() == (self.gid,) * 3

    def environment(self) -> dict[str, str]:
        """Return what programs take for their user."""
        return {"USER": self.name, "LOGNAME": self.name, "HOME": self.home}


def become(identity: Identity) -> None:
    """Be that user from now on, without a way back; root's capabilities go with it.

    The kernel does not let others of that user look into a process that has been another's
    (PR_SET_DUMPABLE, prctl(2)), unless fs.suid_dumpable says so; memory that was hidden stays so.

    Raises:
        OSError: as setgroups(2), setresgid(2) and setresuid(2).
    """
    if identity.is_current:
        return
    hidden = is_memory_hidden()
    os.setgroups(identity.groups)
    os.setresgid(*(identity.gid,) * 3)
    os.setresuid(*(identity.uid,) * 3)
    if hidden:
        hide_memory()


@contextmanager
def acting_as(identity: Identity | None) -> Iterator[None]:
    """Be that user inside the block, also for what asks by the real id, as access(2) does.

    Only for a process without threads, which all would be the other user.

    Raises:
        OSError: as setgroups(2), setresgid(2) and setresuid(2).
    """
    if identity is None or identity.is_current:
        yield
        return
    groups, gids, uids = os.getgroups(), os.getresgid(), os.getresuid()
    hidden = is_memory_hidden()
    os.setgroups(identity.groups)
    try:
        os.setresgid(identity.gid, identity.gid, gids[1])
        os.setresuid(identity.uid, identity.uid, uids[1])
        if hidden:  # see `become`
            hide_memory()
        yield
    finally:
        os.setresuid(*uids)  # first: root alone may set the others
        os.setresgid(*gids)
        os.setgroups(groups)
        if hidden:
            hide_memory()


def make_directories(paths: Iterable[Path], identity: Identity) -> None:
    """Make those that are missing for a user, with nobody else's rights, as far as possible.

    Where that user may not make one, this process does, and gives it away. What fails is told by
    whoever wants to use the directory.
    """
    for path in paths:
        try:
            with acting_as(identity):
                path.mkdir(mode=_PRIVATE)
        except PermissionError:
            with suppress(OSError):
                _make_and_give_away(path, identity)
        except OSError:
            continue


def _make_and_give_away(path: Path, identity: Identity) -> None:
    """Make a directory where nobody else could put another one in its place."""
    parent_fd = open_parent(str(path))
    try:
        os.mkdir(path.name, _PRIVATE, dir_fd=parent_fd)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(path.name, flags, dir_fd=parent_fd)
    finally:
        os.close(parent_fd)
    try:
        os.fchown(fd, identity.uid, identity.gid)
    finally:
        os.close(fd)
