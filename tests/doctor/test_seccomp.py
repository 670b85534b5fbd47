"""A process under a real seccomp filter: one that refuses splice, and one that kills for it."""

import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest

MACHINE = os.uname().machine
SPLICE = {"x86_64": 275, "aarch64": 76}  # asm/unistd_64.h, asm-generic/unistd.h
REFUSE_WITH_EPERM = 0x00050000 | 1  # SECCOMP_RET_ERRNO
KILL = 0x80000000  # SECCOMP_RET_KILL_PROCESS

pytestmark = pytest.mark.skipif(MACHINE not in SPLICE, reason=f"no number of splice on {MACHINE}")

SCRIPT = """
import ctypes, struct, sys
from spliceproxy.cli.main import run

number, action = map(int, sys.argv[1:3])
program = b"".join(struct.pack("HBBI", *line) for line in (
    (0x20, 0, 0, 0),            # load the number of the call (struct seccomp_data)
    (0x15, 0, 1, number),       # if it is splice's
    (0x06, 0, 0, action),       #   return the action
    (0x06, 0, 0, 0x7fff0000),   # else SECCOMP_RET_ALLOW
))
code = ctypes.create_string_buffer(program, len(program))
filter = struct.pack("HP", 4, ctypes.addressof(code))  # struct sock_fprog
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0      # PR_SET_NO_NEW_PRIVS
assert libc.prctl(22, 2, filter) == 0, ctypes.get_errno()  # PR_SET_SECCOMP
sys.exit(run(["doctor", "--json"]))
"""


def doctor_under(action: int) -> tuple[int, dict[str, Any]]:
    arguments = [str(SPLICE[MACHINE]), str(action)]
    outcome = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments], capture_output=True, timeout=30
    )
    assert outcome.stderr == b""
    found = json.loads(outcome.stdout)["findings"]
    return outcome.returncode, {finding["check"]: finding for finding in found}


@pytest.mark.parametrize(
    ("action", "values", "fact"),
    [
        (REFUSE_WITH_EPERM, {"errno": "EPERM"}, "refused with EPERM"),
        (KILL, {"signal": signal.SIGSYS.name}, "not tried; splice(2) ends the process by SIGSYS"),
    ],
)
def test_a_filter_on_splice(action: int, values: dict[str, str], fact: str) -> None:
    status, found = doctor_under(action)
    assert status == 1
    for check in ("splice.tcp4", "splice.unix"):
        finding = found[check]
        assert (finding["status"], finding["values"]) == ("fail", values)
        assert fact in finding["fact"]
        assert "seccomp profile" in finding["remedy"]
    assert {found[check]["status"] for check in ("tee.pipe", "vmsplice.pipe")} == {"ok"}
    assert found["system.seccomp"]["values"] == {"mode": 2}
    assert found["system.privileges"]["values"]["no_new_privileges"]
