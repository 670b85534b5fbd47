"""A process under a real seccomp filter: one that refuses splice, and one that kills for it."""

import errno
import json
import os
import signal
from typing import Any

import pytest

from tests.kernel_filter import ERRNO, KILL, run_filtered

MACHINE = os.uname().machine
SPLICE = {"x86_64": 275, "aarch64": 76}  # asm/unistd_64.h, asm-generic/unistd.h

pytestmark = pytest.mark.skipif(MACHINE not in SPLICE, reason=f"no number of splice on {MACHINE}")


def doctor_under(action: int) -> tuple[int, dict[str, Any]]:
    outcome = run_filtered(SPLICE[MACHINE], action, "spliceproxy", "doctor", "--json")
    assert outcome.stderr == ""
    found = json.loads(outcome.stdout)["findings"]
    return outcome.returncode, {finding["check"]: finding for finding in found}


@pytest.mark.parametrize(
    ("action", "values", "fact"),
    [
        (ERRNO | errno.EPERM, {"errno": "EPERM"}, "refused with EPERM"),
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
