"""Each call is really made on each kind of descriptor, and each refusal has its meaning."""

import errno
import mmap
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spliceproxy.doctor import channels
from spliceproxy.doctor.calls import check_calls, check_directories
from spliceproxy.doctor.finding import Finding, FindingStatus
from spliceproxy.doctor.machine import Machine
from spliceproxy.doctor.needs import Need
from spliceproxy.kernel import page_syscalls, syscalls
from tests.faults import ENDLESS, AnswerAt, Counted, FailAt
from tests.streams import needs_ipv6

CALLS = {
    "splice": syscalls,
    "tee": syscalls,
    "vmsplice": page_syscalls,
    "sendfile": page_syscalls,
}
TRAFFIC = frozenset({Need.TRAFFIC})
EVERYTHING = frozenset(Need)


def findings(needs: frozenset[Need] = TRAFFIC) -> dict[str, Finding]:
    return {finding.check: finding for finding in check_calls(Machine(), needs)}


def refuse(monkeypatch: pytest.MonkeyPatch, call: str, error: int) -> None:
    fault = FailAt(getattr(CALLS[call], call), 1, error, times=ENDLESS)
    monkeypatch.setattr(CALLS[call], call, fault)


@needs_ipv6
def test_this_kernel_moves_bytes_every_way() -> None:
    found = findings(EVERYTHING)
    assert {finding.status for finding in found.values()} == {FindingStatus.OK}
    refused = {check: f.values["errno"] for check, f in found.items() if "errno" in f.values}
    assert refused == {
        "splice.append": "EINVAL",
        "tee.tcp4": "EINVAL",
        "vmsplice.tcp4": "EBADF",
        "sendfile.append": "EINVAL",
    }
    works = {check for check, finding in found.items() if finding.fact.endswith(": works")}
    assert works == found.keys() - refused.keys()


@pytest.mark.parametrize("call", CALLS)
def test_every_trial_makes_its_call(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Counted(getattr(CALLS[call], call))
    monkeypatch.setattr(CALLS[call], call, calls)
    trials = [check for check in findings() if check.startswith(f"{call}.")]
    assert calls.calls >= len(trials) >= 2


@pytest.mark.parametrize("error", [errno.EPERM, errno.ENOSYS])
@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_a_sandbox_refuses(
    call: str, error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, call, error)
    for check, finding in findings().items():
        if check.startswith(f"{call}."):
            relays = check in {"splice.tcp4", "splice.tcp6", "splice.unix"}
            assert finding.status is (FindingStatus.FAIL if relays else FindingStatus.WARN)
            assert f"refused with {errno.errorcode[error]}; " in finding.fact
            assert f"allow {call}(2) in the sandbox's seccomp profile" in finding.remedy
            assert ("`splice: false`" in finding.remedy) == relays
        else:
            assert finding.status is FindingStatus.OK


def test_refusals_matter_to_those_who_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for call in CALLS:
        refuse(monkeypatch, call, errno.EPERM)

    def failing(needs: frozenset[Need]) -> set[str]:
        return {c for c, finding in findings(needs).items() if finding.status is FindingStatus.FAIL}

    assert failing(frozenset()) == set()
    assert failing(frozenset({Need.MIRRORS})) == {"splice.pipe", "tee.pipe"}
    assert failing(frozenset({Need.FILE_MIRRORS})) == {"splice.file"}
    assert failing(frozenset({Need.NULL_MIRRORS})) == {"splice.null"}


def test_another_refusal_is_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, "splice", errno.EINVAL)
    found = findings()
    assert found["splice.unix"].status is FindingStatus.FAIL
    assert found["splice.unix"].remedy.startswith("use another kernel")
    assert found["splice.append"].status is FindingStatus.OK


@pytest.mark.parametrize("answer", [0, 1 << 20])
def test_a_count_that_cannot_be(answer: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lie = AnswerAt(syscalls.tee, 1, answer, times=ENDLESS)
    monkeypatch.setattr(syscalls, "tee", lie)
    finding = findings(frozenset())["tee.pipe"]
    assert finding.status is FindingStatus.FAIL
    assert f"{answer} of 5020 bytes were moved" in finding.fact


def test_success_without_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    real = page_syscalls.vmsplice

    def of_zeros(pipe_fd: int, memory: mmap.mmap, offset: int, count: int) -> int:
        memory[:] = bytes(len(memory))
        return real(pipe_fd, memory, offset, count)

    monkeypatch.setattr(page_syscalls, "vmsplice", of_zeros)
    finding = findings(frozenset())["vmsplice.pipe"]
    assert finding.status is FindingStatus.FAIL
    assert "5020 bytes arrived, other ones than were sent" in finding.fact


def test_short_counts_are_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    def shortened(real: Callable[..., int], position: int) -> Callable[..., int]:
        def call(*arguments: Any) -> int:
            given = list(arguments)
            given[position] = min(given[position], 1000)
            return real(*given)

        return call

    monkeypatch.setattr(syscalls, "splice", shortened(syscalls.splice, 2))
    monkeypatch.setattr(page_syscalls, "sendfile", shortened(page_syscalls.sendfile, 3))
    monkeypatch.setattr(page_syscalls, "vmsplice", shortened(page_syscalls.vmsplice, 3))
    assert {finding.status for finding in findings().values()} == {FindingStatus.OK}


def test_a_place_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> Any:
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))

    monkeypatch.setitem(channels.CHANNELS, "tcp6", ("TCP over IPv6", refused))
    finding = findings()["splice.tcp6"]
    assert finding.status is FindingStatus.OK
    assert finding.fact == "TCP over IPv6: not tried, cannot be had here (EAFNOSUPPORT)"


def test_no_file_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    findings()
    refuse(monkeypatch, "splice", errno.EPERM)
    findings()
    assert list(tmp_path.iterdir()) == []


def test_directories_of_mirrors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs = frozenset({Need.FILE_MIRRORS})
    there, absent = tmp_path / "there", tmp_path / "absent"
    there.mkdir()
    [finding] = check_directories([there, absent], needs)
    assert (finding.check, finding.status) == (f"splice.mirror:{there}", FindingStatus.OK)
    refuse(monkeypatch, "splice", errno.EINVAL)
    [finding] = check_directories([there, absent], needs)
    assert finding.status is FindingStatus.FAIL
    assert "another file system" in finding.remedy
    assert not absent.exists()
    assert list(there.iterdir()) == []


def test_what_an_ebpf_program_has_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, "splice", errno.EAGAIN)
    finding = findings()["splice.tcp4"]
    assert finding.status == FindingStatus.FAIL
    assert "splice(2) finds nothing of what has arrived" in finding.fact
    assert "eBPF" in finding.remedy
