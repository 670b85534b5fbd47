"""Sockmaps are found where this user may look for them; elsewhere nobody can tell."""

import errno
import os

import pytest

from spliceproxy.doctor import sockmaps
from spliceproxy.doctor.finding import FindingStatus
from spliceproxy.doctor.machine import Machine
from spliceproxy.doctor.sockmaps import check_sockmaps, judge_sockmaps
from spliceproxy.kernel.sockmaps import find_sockmaps
from tests.sockmap import sockmap


def test_one_that_is_there() -> None:
    try:
        before = find_sockmaps()
        with sockmap():
            during = find_sockmaps()
    except OSError as error:
        pytest.skip(f"no eBPF here: {error}")
    assert len(during) == len(before) + 1


def test_where_nobody_may_look(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> list[str]:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(sockmaps, "find_sockmaps", refuse)
    [finding] = check_sockmaps(Machine())
    assert (finding.status, finding.values) == (FindingStatus.OK, {"sockmaps": None})
    assert "bpf(2): refused with EPERM" in finding.fact


def test_what_they_mean() -> None:
    assert judge_sockmaps([]).status == FindingStatus.OK
    finding = judge_sockmaps(["mesh"])
    assert (finding.status, finding.values) == (FindingStatus.WARN, {"sockmaps": ["mesh"]})
    assert "eBPF" in finding.remedy
