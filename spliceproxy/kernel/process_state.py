"""What the kernel tells of another process: proc_pid_stat(5) and its neighbours."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
# Of what follows a process's name in its stat file: fields 3, 14, 15 and 22.
_STATE, _UTIME, _STIME, _STARTTIME = 0, 11, 12, 19

RUNNING, STOPPED, TRACED = "R", "T", "t"


@dataclass(frozen=True, slots=True)
class ProcessState:
    """Whether a process runs, and how long it has."""

    letter: str
    """Such as `RUNNING`, which is also told of one that waits for a processor."""
    cpu_s: float


def sees_processes() -> bool:
    """Return whether /proc is there, by which others are known."""
    return Path("/proc/self/stat").exists()


def read_state(pid: int) -> ProcessState:
    """Return the state of a process.

    Raises:
        OSError: it is gone.
    """
    fields = _read_stat(pid)
    cpu_s = (int(fields[_UTIME]) + int(fields[_STIME])) / _CLOCK_TICKS
    return ProcessState(fields[_STATE], cpu_s)


def read_start_s(pid: int) -> float:
    """Return when a process has started, by the clock on the wall, to a second or so.

    Raises:
        OSError: it is gone.
    """
    ticks = int(_read_stat(pid)[_STARTTIME])
    since_boot_s = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / _CLOCK_TICKS
    return time.time() - since_boot_s


def _read_stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def read_kernel_side(pid: int) -> dict[str, object]:
    """Return what the kernel does for a process: its state, and where it waits.

    What this user may not see is left out: the stack is root's alone (proc_pid_stack(5)).
    """
    told: dict[str, object] = {}
    status = _read(pid, "status").splitlines()
    told["state"] = next((line.partition(":")[2].strip() for line in status if "State" in line), "")
    wchan = _read(pid, "wchan")
    if wchan not in ("", "0"):
        told["waits_in"] = wchan
    if stack := _read(pid, "stack").splitlines():
        told["kernel_stack"] = [line.partition("] ")[2] for line in stack]
    return told


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except OSError:
        return ""
