"""Whether io_uring is there is found out by asking for it; a refusal is explained."""

import errno
import json
import os
from typing import Any

import pytest

from spliceproxy.doctor.finding import Finding, FindingStatus
from spliceproxy.doctor.io_uring import check_io_uring
from spliceproxy.doctor.machine import Machine
from spliceproxy.kernel import io_uring
from tests.doctor.conftest import MakeMachine
from tests.faults import ENDLESS, FailAt
from tests.kernel_filter import ERRNO, KILL, run_filtered

IO_URING_SETUP = 425


def found(machine: Machine) -> Finding:
    [finding] = check_io_uring(machine)
    assert finding.check == "uring.setup"
    assert finding.status is FindingStatus.OK
    assert finding.fact.endswith("; the proxy does not use it")
    return finding


def test_what_this_machine_says_is_what_the_kernel_does() -> None:
    refused = None
    try:
        os.close(io_uring.setup(1, bytearray(io_uring.PARAMS_BYTES)))
    except OSError as error:
        refused = errno.errorcode[error.errno or 0]
    finding = found(Machine())
    assert finding.values.get("errno") == refused
    assert finding.fact.startswith("is there, and allowed; ") == (refused is None)


@pytest.mark.parametrize(
    ("code", "disabled", "words"),
    [
        (errno.ENOSYS, None, "with ENOSYS: this kernel was built without it"),
        (errno.EPERM, None, "with EPERM: a sandbox does not allow it"),
        (errno.EPERM, "0", "with EPERM: a sandbox does not allow it"),
        (errno.EPERM, "1", "kernel.io_uring_disabled is 1, which turns it off for users without"),
        (errno.EPERM, "2", "kernel.io_uring_disabled is 2, which turns it off for everybody"),
        (errno.EACCES, None, "with EACCES: a sandbox does not allow it"),
        (errno.ENOMEM, "0", "with ENOMEM: cannot allocate memory"),
    ],
)
def test_a_refusal_says_whose_it_is(
    code: int,
    disabled: str | None,
    words: str,
    make_machine: MakeMachine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(io_uring, "setup", FailAt(io_uring.setup, 1, code, times=ENDLESS))
    machine = make_machine({io_uring.DISABLED_SETTING: disabled} if disabled else {})
    finding = found(machine)
    assert words in finding.fact
    assert finding.values == {
        "errno": errno.errorcode[code],
        "disabled": int(disabled) if disabled else None,
    }


def doctor_under(action: int) -> dict[str, Any]:
    outcome = run_filtered(IO_URING_SETUP, action, "spliceproxy", "doctor", "--json")
    assert outcome.stderr == ""
    findings = json.loads(outcome.stdout)["findings"]
    return next(finding for finding in findings if finding["check"] == "uring.setup")


def test_a_filter_that_refuses() -> None:
    assert "with EPERM: a sandbox" in doctor_under(ERRNO | errno.EPERM)["fact"]


def test_a_filter_that_kills_is_noticed_in_a_child() -> None:
    finding = doctor_under(KILL)
    assert "ends the process by SIGSYS" in finding["fact"]
    assert finding["values"]["signal"] == "SIGSYS"
