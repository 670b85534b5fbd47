"""Programs under a real seccomp filter that answers for one system call, as a container's may.

Run as a program: NUMBER ACTION COMMAND...
"""

import ctypes
import os
import struct
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
ERRNO = 0x00050000  # SECCOMP_RET_ERRNO, the errno in its lowest bits
KILL = 0x80000000  # SECCOMP_RET_KILL_PROCESS
_ALLOW = 0x7FFF0000  # SECCOMP_RET_ALLOW

MACHINE = os.uname().machine
NUMBERS = {  # asm/unistd_64.h, asm-generic/unistd.h
    "x86_64": {
        "splice": 275,
        "eventfd2": 290,
        "pipe2": 293,
        "memfd_create": 319,
        "pidfd_send_signal": 424,
        "pidfd_open": 434,
    },
    "aarch64": {
        "splice": 76,
        "eventfd2": 19,
        "pipe2": 59,
        "memfd_create": 279,
        "pidfd_send_signal": 424,
        "pidfd_open": 434,
    },
}

_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06  # linux/bpf_common.h
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _MODE_FILTER = 22, 38, 2


def filtering(number: int, action: int) -> tuple[str, ...]:
    """Return what stands before a command in which the call of that number gets that answer."""
    return sys.executable, str(Path(__file__).resolve()), str(number), str(action)


def refusing(call: str, error: int) -> tuple[str, ...]:
    """Return what stands before a command that is refused a call of `NUMBERS` with an errno."""
    return filtering(NUMBERS[MACHINE][call], ERRNO | error)


def run_filtered(
    number: int, action: int, module: str, *arguments: str, timeout_s: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run `python -m MODULE` where the call of that number gets that answer."""
    return subprocess.run(
        [*filtering(number, action), sys.executable, "-m", module, *arguments],
        capture_output=True,
        check=False,
        cwd=REPOSITORY,
        text=True,
        timeout=timeout_s,
    )


def _install(number: int, action: int) -> None:
    """Filter this process from now on, and what it starts."""
    program = b"".join(
        struct.pack("HBBI", *line)
        for line in (
            (_LOAD, 0, 0, 0),  # the number of the call (struct seccomp_data)
            (_JUMP_IF_EQUAL, 0, 1, number),
            (_RETURN, 0, 0, action),
            (_RETURN, 0, 0, _ALLOW),
        )
    )
    code = ctypes.create_string_buffer(program, len(program))
    filter_ = struct.pack("HP", 4, ctypes.addressof(code))  # struct sock_fprog
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, filter_) == 0, ctypes.get_errno()


if __name__ == "__main__":
    _install(int(sys.argv[1]), int(sys.argv[2]))
    os.execvp(sys.argv[3], sys.argv[3:])
