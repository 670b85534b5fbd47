"""What processes need is really tried, and a refusal counts as it matters."""

import errno
import os
import threading
from pathlib import Path

import pytest

from spliceproxy.doctor.finding import FindingStatus
from spliceproxy.doctor.forks import check_forks, try_processes, try_thread
from spliceproxy.doctor.machine import Machine
from spliceproxy.doctor.needs import find_calls
from spliceproxy.doctor.processes import check_processes
from spliceproxy.kernel.refusals import CALLS
from tests.e2e.processes import children

from .conftest import MakeMachine
from .routes import routes


def test_this_machine() -> None:
    found = [*check_processes(Machine(), CALLS), *check_forks(None)]
    assert {finding.status for finding in found} == {FindingStatus.OK}
    assert {finding.check for finding in found} == {
        *(f"processes.{call}" for call in CALLS),
        "processes.proc",
        "processes.working_directory",
        "processes.fork",
        "processes.threads",
    }


@pytest.mark.parametrize(("needed", "status"), [((), "warn"), (("eventfd2",), "fail")])
def test_a_refusal(needed: tuple[str, ...], status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setitem(CALLS, "eventfd2", refuse)
    found = {finding.check: finding for finding in check_processes(Machine(), needed)}
    finding = found.pop("processes.eventfd2")
    assert (finding.status, finding.values) == (status, {"refusal": "refused with ENOSYS"})
    assert {other.status for other in found.values()} == {FindingStatus.OK}


@pytest.mark.parametrize(
    ("mirrors", "calls"),
    [
        ((), {"pipe2"}),
        (("null:",), {"pipe2", "eventfd2"}),
        (("exec:cat",), {"pipe2", "eventfd2", "pidfd_open"}),
    ],
)
def test_who_needs_which_calls(mirrors: tuple[str, ...], calls: set[str]) -> None:
    assert find_calls(routes(mirrors=mirrors)) == calls


def test_without_proc(make_machine: MakeMachine) -> None:
    found = {finding.check: finding for finding in check_processes(make_machine({}), ())}
    assert found["processes.proc"].status == FindingStatus.WARN
    assert "mount" in found["processes.proc"].remedy


def test_in_a_directory_that_is_gone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    found = {finding.check: finding for finding in check_processes(Machine(), ())}
    assert found["processes.working_directory"].status == FindingStatus.WARN


def test_too_few_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    before, fork, left = children(os.getpid()), os.fork, [1, 2]

    def fork_twice() -> int:
        if not left:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        left.pop()
        return fork()

    monkeypatch.setattr(os, "fork", fork_twice)
    finding = try_processes(4)
    assert (finding.status, finding.values) == (FindingStatus.FAIL, {"wanted": 4, "had": 2})
    assert "fork(2): refused with EAGAIN" in finding.fact
    assert "pids.max" in finding.remedy
    assert children(os.getpid()) == before


def test_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    finding = try_thread()
    assert finding.status == FindingStatus.FAIL
    assert "pids.max" in finding.remedy
