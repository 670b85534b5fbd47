"""Whose rights this process has, and what workers would be left with."""

import os
from collections.abc import Iterator

from spliceproxy.doctor.finding import Finding, Value, fail, ok, warn
from spliceproxy.doctor.machine import Machine
from spliceproxy.errors import StartProblem
from spliceproxy.kernel.credentials import Identity
from spliceproxy.kernel.landlock import find_abi
from spliceproxy.master.privileges import find_privileges
from spliceproxy.master.sandbox import starts_programs
from spliceproxy.settings.proxy import Settings

_SETS = {"permitted": "CapPrm", "effective": "CapEff", "bounding": "CapBnd"}


def check_privileges(machine: Machine, settings: Settings | None) -> Iterator[Finding]:
    """Look at this process's user and rights, and at whom workers would run as."""
    uid = os.geteuid()
    yield describe_rights(machine, uid)
    if settings is not None:
        yield judge_user(settings, uid)
    yield judge_landlock(settings, find_abi())


def find_worker_identity(settings: Settings | None) -> Identity | None:
    """Return whom workers would run as; None: as whoever starts the proxy, or nobody can tell."""
    try:
        return None if settings is None else find_privileges(settings).identity
    except StartProblem:
        return None


def describe_rights(machine: Machine, uid: int) -> Finding:
    """Name the user, and tell the capabilities as the kernel writes them (capabilities(7))."""
    groups = " ".join(map(str, os.getgroups())) or "none"
    sets = {name: machine.process_status(field) for name, field in _SETS.items()}
    told = ", ".join(f"{name} {bits}" for name, bits in sets.items() if bits is not None)
    values: dict[str, Value] = {"uid": uid, "gid": os.getegid(), **sets}
    fact = f"user {uid}, group {os.getegid()}, other groups: {groups}"
    return ok("privileges.here", f"{fact}; capabilities: {told or 'not told'}", **values)


def judge_user(settings: Settings, uid: int) -> Finding:
    """Say whom workers run as when this user starts the proxy."""
    check = "privileges.workers"
    try:
        identity = find_privileges(settings).identity
    except StartProblem as problem:
        return fail(check, problem.message, problem.remedy)
    if identity is not None:
        return ok(check, f"workers run as {identity.name}", uid=identity.uid, gid=identity.gid)
    if uid == 0:
        return warn(check, "workers run as root", "set user: they need none of its rights", uid=uid)
    return ok(check, "workers run as this user", uid=uid)


def judge_landlock(settings: Settings | None, abi: int) -> Finding:
    """Say whether the kernel holds workers back from files that are not their business."""
    check = "privileges.landlock"
    wanted = settings is not None and settings.user is not None and settings.sandbox == "auto"
    if not abi:
        fact = "no Landlock: nothing but their user's rights holds workers back from files"
        if not wanted:
            return ok(check, fact, version=abi)
        remedy = "Linux 5.13 or newer with lsm=landlock, or write sandbox: off"
        return warn(check, fact, remedy, version=abi)
    fact = f"Landlock, version {abi}"
    if settings is None:
        return ok(check, fact, version=abi)
    if not wanted:
        fact += ": not used" if settings.user else ": not used without user"
    elif starts_programs(settings):
        fact += ": not used, as exec: mirrors start programs"
    return ok(check, fact, version=abi)
