"""The kernel, Python, and what a sandbox takes away."""

import mmap
import platform
import re
import sys
import sysconfig
from collections.abc import Iterator, Mapping

from spliceproxy.doctor.finding import Finding, ok, warn
from spliceproxy.doctor.machine import Machine

OLDEST_KERNEL = (5, 10)
"""The oldest series that kernel.org kept up when this was written."""

_SECCOMP = {"0": "no seccomp filter", "1": "seccomp's strict mode", "2": "a seccomp filter"}


def check_system(machine: Machine) -> Iterator[Finding]:
    """Look at versions, rights and restrictions."""
    yield judge_kernel(platform.release(), platform.machine())
    yield describe_python()
    yield describe_memory(machine.memory())
    yield describe_container(machine.container())
    seccomp, no_new_privileges = (
        machine.process_status(name) for name in ("Seccomp", "NoNewPrivs")
    )
    if seccomp in _SECCOMP:
        yield describe_seccomp(seccomp)
    if no_new_privileges is not None:
        yield describe_privileges(machine.capabilities(), no_new_privileges == "1")


def judge_kernel(release: str, architecture: str) -> Finding:
    """Compare the kernel with the oldest one that the proxy is meant for."""
    fact = f"Linux {release}, {architecture}"
    found = re.match(r"(\d+)\.(\d+)", release)
    values = {"release": release, "architecture": architecture}
    if found and (int(found[1]), int(found[2])) < OLDEST_KERNEL:
        least = ".".join(map(str, OLDEST_KERNEL))
        remedy = f"use Linux {least} or newer"
        return warn(
            "system.kernel", f"{fact}: older than what kernel.org keeps up", remedy, **values
        )
    return ok("system.kernel", fact, **values)


def describe_python() -> Finding:
    """Name the interpreter, and the build that a worker gains nothing from."""
    free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    fact = f"{platform.python_implementation()} {platform.python_version()}"
    if free_threaded:
        fact += ", free-threaded: no gain, since a worker relays in one thread"
    return ok(
        "system.python",
        fact,
        version=".".join(map(str, sys.version_info[:3])),
        free_threaded=free_threaded,
    )


def describe_memory(memory: Mapping[str, int]) -> Finding:
    """Tell the size of a page, and how much memory there is, free or used for files."""
    fact = f"pages of {mmap.PAGESIZE >> 10} KiB"
    names = {
        "of {} MiB memory": "MemTotal",
        "{} MiB can be had": "MemAvailable",
        "{} MiB hold files (Cached)": "Cached",
        "{} MiB hold blocks of disks (Buffers)": "Buffers",
    }
    told = [text.format(memory[name] >> 20) for text, name in names.items() if name in memory]
    return ok(
        "system.memory",
        "; ".join([fact, ", ".join(told) or "/proc/meminfo cannot be read here"]),
        page_bytes=mmap.PAGESIZE,
        total_bytes=memory.get("MemTotal"),
        available_bytes=memory.get("MemAvailable"),
        cached_bytes=memory.get("Cached"),
        buffers_bytes=memory.get("Buffers"),
    )


def describe_container(container: str | None) -> Finding:
    """Say whether this is a container, where some settings are the host's."""
    if container is None:
        return ok("system.container", "no sign of a container", container=None)
    fact = f"in a container ({container}): settings named fs.* are the host's"
    return ok("system.container", fact, container=container)


def describe_seccomp(mode: str) -> Finding:
    """Say whether system calls are filtered; what that refuses, the trials of calls tell."""
    told = "; the trials of calls tell what it refuses" if mode == "2" else ""
    return ok("system.seccomp", f"{_SECCOMP[mode]}{told}", mode=int(mode))


def describe_privileges(capabilities: list[str], no_new: bool) -> Finding:  # noqa: FBT001
    """Name the rights that matter to the proxy."""
    fact = ", ".join(capabilities) or "none of the capabilities that lift limits"
    if no_new:
        fact += "; no_new_privs is on: no program that is started gains rights"
    return ok("system.privileges", fact, capabilities=capabilities, no_new_privileges=no_new)
