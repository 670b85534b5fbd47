"""Whom the proxy's processes run as, and what they give up.

==================  ============================================================================
master              keeps root's user and what a reload needs (`MASTER_KEEPS`), and nothing else
loader              is a copy of the master: it reads what the master could read
worker, admin       another user, no capability, no way to any; by Landlock only their files
commands            as the worker that starts them, which has no Landlock then
==================  ============================================================================
"""

import grp
import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

import spliceproxy
from spliceproxy.errors import StartProblem, quote
from spliceproxy.kernel.capabilities import (
    Capability,
    forbid_new_privileges,
    has_capabilities,
    keep_capabilities,
    limit_programs,
)
from spliceproxy.kernel.credentials import Identity, acting_as, become
from spliceproxy.kernel.landlock import find_abi, restrict_files
from spliceproxy.master.sandbox import connects_by_name, find_files, starts_programs
from spliceproxy.settings.proxy import Settings

MASTER_KEEPS = (
    Capability.SETUID,  # to fork workers as another user
    Capability.SETGID,
    Capability.SETPCAP,
    Capability.KILL,  # to signal them
    Capability.SYS_PTRACE,  # to name the connections of one that hangs, and where it waits
    Capability.SYS_RESOURCE,  # to raise the limit on open files
    Capability.NET_BIND_SERVICE,  # to open ports below 1024
    Capability.CHOWN,  # of unix sockets and new directories of mirrors
    Capability.FOWNER,
    Capability.DAC_OVERRIDE,  # to read the routes file, and write logs, wherever they are
)
_NEEDED = (Capability.SETUID, Capability.SETGID, Capability.KILL)
_SANDBOX_OFF = "sandbox is off"
_NO_LANDLOCK = "this kernel has no Landlock, or it is not switched on (lsm=landlock)"
_PROGRAMS = "exec: mirrors start programs, which would be held back from their files too"


@dataclass(frozen=True, slots=True)
class Privileges:
    """What is decided at the start, for as long as the master lives."""

    settings: Settings
    """Those of the start: the admin process goes on by them."""
    identity: Identity | None = None
    """Whom workers and the admin process run as; None: as the master does."""
    landlock_abi: int = 0
    """0: nothing is held back by Landlock."""

    def confine_master(self) -> None:
        """Give up what a reload does not need; listeners are open, or can still be opened.

        Raises:
            StartProblem: the kernel, or a filter of system calls, refuses that.
        """
        if self.identity is None:
            return
        try:
            forbid_new_privileges()
            limit_programs(MASTER_KEEPS)
            keep_capabilities(MASTER_KEEPS)
        except OSError as error:
            raise StartProblem(
                f"user: rights cannot be given up ({error.strerror})",
                "allow prctl(2) and capset(2) in the seccomp filter, or leave user out",
            ) from error

    def confine_worker(self, settings: Settings) -> None:
        """Be a worker's user, with nothing but what it needs; before it has threads.

        Raises:
            OSError: the kernel refuses that.
        """
        self._confine(settings)

    def confine_admin_process(self) -> None:
        """Do the same as the admin process, whose addresses and grants a reload leaves alone."""
        self._confine(self.settings)

    def _confine(self, settings: Settings) -> None:
        if self.identity is None:
            return
        forbid_new_privileges()
        limit_programs(())
        become(self.identity)
        keep_capabilities(())
        os.environ.update(self.identity.environment())
        if self.landlock_abi and not starts_programs(settings):
            abstract = connects_by_name(settings)
            restrict_files(find_files(settings), self.landlock_abi, reach_abstract_sockets=abstract)

    def tell(self, settings: Settings) -> None:
        """Log whom workers of a configuration run as, and what holds them back."""
        log = structlog.get_logger()
        if self.identity is not None:
            log.info("runs_as_user", **self._describe(self.identity, settings))
        elif os.geteuid() == 0:
            log.warning(
                "runs_as_root", remedy="set user (--user): workers need none of root's rights"
            )

    def _describe(self, identity: Identity, settings: Settings) -> dict[str, Any]:
        why = ""
        if self.settings.sandbox == "off":
            why = _SANDBOX_OFF
        elif not self.landlock_abi:
            why = _NO_LANDLOCK
        elif starts_programs(settings):
            why = _PROGRAMS
        told = {"user": identity.name, "uid": identity.uid, "gid": identity.gid}
        told["groups"] = list(identity.groups)
        return told | ({"sandbox": "off", "why": why} if why else {"sandbox": self._landlock})

    @property
    def _landlock(self) -> str:
        return f"landlock, version {self.landlock_abi}"


def find_privileges(settings: Settings) -> Privileges:
    """Look up whom the settings name, and whether this process may become that user. Can block.

    Raises:
        StartProblem: it may not, or there is no such user or group.
    """
    if settings.user is None:
        return Privileges(settings)
    identity = find_identity(settings.user, settings.group)
    if not identity.is_current:
        _check_rights(identity)
    _check_python(identity)
    return Privileges(settings, identity, find_abi() if settings.sandbox == "auto" else 0)


def find_identity(user: str, group: str | None) -> Identity:
    """Look a user up, and the group, if one is named. Can block.

    Raises:
        StartProblem: there is no such user or group, or it is root.
    """
    gid = None if group is None else _find_group(group)
    try:
        account = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
        name, uid, home = account.pw_name, account.pw_uid, account.pw_dir
        groups = os.getgrouplist(name, account.pw_gid) if gid is None else [gid]
        gid = account.pw_gid if gid is None else gid
    except KeyError:
        if not user.isdecimal() or gid is None:
            raise _unknown("user", user) from None
        name, uid, home, groups = user, int(user), "/", [gid]
    if uid == 0:
        raise StartProblem(f"user: {quote(user)} is root", "expected a user without rights")
    return Identity(uid, gid, tuple(groups), name, home)


def _find_group(group: str) -> int:
    try:
        return int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
    except KeyError:
        raise _unknown("group", group) from None


def _unknown(what: str, name: str) -> StartProblem:
    remedy = "expected a name that this machine has, or a number"
    if what == "user" and name.isdecimal():
        remedy = "set group too: its groups are not known"
    return StartProblem(f"{what}: {quote(name)} is not known", remedy)


def _check_rights(identity: Identity) -> None:
    if os.geteuid() != 0:
        raise StartProblem(
            f"user: cannot become {quote(identity.name)} (this is user {os.geteuid()})",
            f"start it as root, or as {identity.name}",
        )
    if not has_capabilities(_NEEDED):
        needed = ", ".join(f"CAP_{one.name}" for one in _NEEDED)
        raise StartProblem(
            f"user: cannot become {quote(identity.name)} (capabilities are missing)",
            f"expected {needed}",
        )


def _check_python(identity: Identity) -> None:
    """Refuse a user who cannot load modules: most are loaded when they are first used."""
    with acting_as(identity):
        for file in (os.__file__, spliceproxy.__file__):
            try:
                Path(file).open("rb").close()
            except OSError as error:
                raise StartProblem(
                    f"user: {quote(identity.name)} cannot read {file} ({error.strerror})",
                    "install Python and spliceproxy where that user may read, as under /opt",
                ) from None
