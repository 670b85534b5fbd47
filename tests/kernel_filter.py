"""Programs under a real seccomp filter that answers for one system call."""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
ERRNO = 0x00050000  # SECCOMP_RET_ERRNO, the errno in its lowest bits
KILL = 0x80000000  # SECCOMP_RET_KILL_PROCESS

_FILTERED = """
import ctypes, runpy, struct, sys

number, action = map(int, sys.argv[1:3])
program = b"".join(struct.pack("HBBI", *line) for line in (
    (0x20, 0, 0, 0),            # load the number of the call (struct seccomp_data)
    (0x15, 0, 1, number),       # if it is that one
    (0x06, 0, 0, action),       #   return the action
    (0x06, 0, 0, 0x7fff0000),   # else SECCOMP_RET_ALLOW
))
code = ctypes.create_string_buffer(program, len(program))
filter = struct.pack("HP", 4, ctypes.addressof(code))  # struct sock_fprog
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0      # PR_SET_NO_NEW_PRIVS
assert libc.prctl(22, 2, filter) == 0, ctypes.get_errno()  # PR_SET_SECCOMP
module = sys.argv[3]
sys.argv[1:] = sys.argv[4:]
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


def run_filtered(
    number: int, action: int, module: str, *arguments: str, timeout_s: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run `python -m MODULE` where the call of that number gets that answer."""
    return subprocess.run(
        [sys.executable, "-c", _FILTERED, str(number), str(action), module, *arguments],
        capture_output=True,
        check=False,
        cwd=REPOSITORY,
        text=True,
        timeout=timeout_s,
    )
