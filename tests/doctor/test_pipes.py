"""How many full-size pipes there are, really opened; and which quota stands in the way."""

import errno
import os
import resource

import pytest

from spliceproxy.doctor import pipes
from spliceproxy.doctor.finding import Finding, FindingStatus
from spliceproxy.doctor.machine import Machine
from spliceproxy.doctor.pipes import (
    check_pipes,
    check_size,
    describe_default,
    judge_pipes,
    open_pipes,
)
from spliceproxy.kernel import syscalls
from tests.doctor.conftest import MakeMachine
from tests.faults import ENDLESS, Counted, FailAt

MIB = 1 << 20
SOFT, HARD = "fs.pipe-user-pages-soft", "fs.pipe-user-pages-hard"


def full_size(machine: Machine, wanted: int) -> Finding:
    return {finding.check: finding for finding in check_pipes(machine, wanted)}["pipes.full_size"]


def test_as_many_as_are_wanted(make_machine: MakeMachine) -> None:
    finding = full_size(make_machine({SOFT: "16384", HARD: "0"}), 5)
    assert finding.status is FindingStatus.OK
    assert finding.values == {
        "wanted": 5,
        "tried": 5,
        "full_size": 5,
        "user_pages_soft": 16384,
        "user_pages_hard": 0,
    }


def test_the_size_of_a_new_pipe(make_machine: MakeMachine) -> None:
    (untold,) = describe_default(make_machine({}))
    assert untold.fact == "a new pipe has 64 KiB"
    (finding,) = describe_default(make_machine({SOFT: "16384", HARD: "0"}))
    assert finding.values["default_bytes"] == 65536
    assert finding.fact == f"a new pipe has 64 KiB; {SOFT} is 16384, {HARD} is off"


def test_there_is_a_bound_on_what_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipes, "MOST_TRIED", 4)
    calls = Counted(syscalls.make_pipe)
    monkeypatch.setattr(syscalls, "make_pipe", calls)
    finding = full_size(Machine(), 100_000)
    assert (finding.status, calls.calls) == (FindingStatus.OK, 4)
    assert finding.fact == "4 pipes of 1 MiB at once, of 100000 that the workers may want"


def test_the_quota_makes_pipes_small(
    make_machine: MakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    quota = FailAt(syscalls.set_pipe_capacity, 4, errno.EPERM, times=ENDLESS)
    monkeypatch.setattr(syscalls, "set_pipe_capacity", quota)
    finding = full_size(make_machine({SOFT: "768"}), 8)
    assert finding.status is FindingStatus.WARN
    assert (finding.values["full_size"], finding.values["tried"]) == (3, 4)
    assert "3 pipes of 1 MiB at once, of 8 that the workers may want, then small" in finding.fact
    assert finding.remedy == f"sysctl -w {SOFT}=3072"


@pytest.mark.parametrize(
    ("files", "remedy"),
    [
        ({SOFT: "16384", HARD: "0"}, f"sysctl -w {SOFT}=33792"),
        ({SOFT: "0", HARD: "20000"}, f"sysctl -w {HARD}=33792"),
        ({SOFT: "9", HARD: "9"}, f"sysctl -w {SOFT}=33792 {HARD}=33792"),
        ({SOFT: "9", "./.dockerenv": ""}, f"sysctl -w {SOFT}=33792 on the host"),
        (
            {SOFT: "33792", HARD: "0"},
            f"other processes of this user hold pipes: set {SOFT} higher than 33792",
        ),
    ],
)
def test_what_to_set(make_machine: MakeMachine, files: dict[str, str], remedy: str) -> None:
    finding = judge_pipes(make_machine(files), 128, [MIB] * 64 + [65536], None)
    assert (finding.status, finding.remedy) == (FindingStatus.WARN, remedy)


def test_the_limit_on_files_ends_it(make_machine: MakeMachine) -> None:
    too_many = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    finding = judge_pipes(make_machine({}), 128, [MIB] * 64, too_many)
    assert finding.status is FindingStatus.WARN
    assert "then none (Too many open files)" in finding.fact
    assert "limit on open files" in finding.remedy


def test_no_pipe_at_all(make_machine: MakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    # What pipe2(2) answers beyond the hard quota (alloc_pipe_info, fs/pipe.c).
    refused = FailAt(syscalls.make_pipe, 1, errno.ENFILE, times=ENDLESS)
    monkeypatch.setattr(syscalls, "make_pipe", refused)
    finding = full_size(make_machine({HARD: "16"}), 2)
    assert finding.status is FindingStatus.FAIL
    assert "copied through the process" in finding.fact
    assert finding.remedy == f"sysctl -w {HARD}=1536"


def test_the_limit_on_files_is_as_before() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, before[1]))
    try:
        sizes, end = open_pipes(64)
        assert (len(sizes), end) == (64, None)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (64, before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize(
    ("most", "status", "remedy"),
    [
        (None, FindingStatus.OK, ""),
        (MIB, FindingStatus.OK, ""),
        (MIB - 1, FindingStatus.WARN, f"sysctl -w fs.pipe-max-size={MIB}"),
    ],
)
def test_the_largest_size(most: int | None, status: FindingStatus, remedy: str) -> None:
    finding = check_size(most)
    assert (finding.status, finding.remedy) == (status, remedy)
