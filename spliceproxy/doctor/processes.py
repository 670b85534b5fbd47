"""Calls of the proxy's processes beside those that move bytes, and where they find things."""

import errno
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from spliceproxy.doctor.finding import Finding, FindingStatus, ok, warn
from spliceproxy.doctor.kills import killed_by
from spliceproxy.doctor.machine import Machine
from spliceproxy.kernel.refusals import CALL_REMEDY, CALLS

_OTHERWISE = {
    "pidfd_open": "the end of a worker is noticed all the same, `exec:` mirrors cannot be had",
    "memfd_create": "files without a name where temporary files are take their place",
    "pipe2": "connections are copied through the process, and mirrors cannot be had",
    "eventfd2": "mirrors cannot be had",
}
"""What follows from the refusal of each call."""


def check_processes(machine: Machine, needed: Collection[str]) -> Iterator[Finding]:
    """Try the calls, of which some can't be done without; look for /proc and where this runs."""
    for call, attempt in CALLS.items():
        # A filter may kill whoever makes a call that it does not allow: ask in a child first.
        killer = killed_by(attempt) if machine.filters_calls() else None
        refusal = f"ends the process by {killer.name}" if killer else _try(attempt)
        yield judge_call(call, refusal, needed)
    yield judge_proc(machine)
    yield judge_working_directory()


def _try(attempt: Callable[[], None]) -> str:
    try:
        attempt()
    except OSError as error:
        return f"refused with {errno.errorcode.get(error.errno or 0, str(error))}"
    return ""


def judge_call(call: str, refusal: str, needed: Collection[str]) -> Finding:
    """Say what follows from a refusal: a failure for those who can't do without the call."""
    check = f"processes.{call}"
    if not refusal:
        return ok(check, f"{call}(2): works")
    status = FindingStatus.FAIL if call in needed else FindingStatus.WARN
    fact = f"{call}(2): {refusal}; {_OTHERWISE[call]}"
    return Finding(check, status, fact, CALL_REMEDY, {"refusal": refusal})


def judge_proc(machine: Machine) -> Finding:
    """Say what is missed without /proc."""
    if machine.read("proc/self/stat") is not None:
        return ok("processes.proc", "/proc is there")
    return warn(
        "processes.proc",
        "no /proc: workers that hang are not noticed, limits and rights not told here, and "
        "unix sockets cannot be listened on",
        "mount -t proc proc /proc",
    )


def judge_working_directory() -> Finding:
    """Say what is missed when the directory has been removed in which this was started."""
    check = "processes.working_directory"
    try:
        return ok(check, f"works in {Path.cwd()}")
    except OSError:
        fact = "the working directory is gone: relative paths lead nowhere"
        return warn(check, fact, "start it in a directory that stays, such as /")
