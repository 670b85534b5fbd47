"""Whose rights a process has, and what workers would be left with."""

import os
import tempfile
from typing import Any

import pytest

from spliceproxy.doctor import privileges
from spliceproxy.doctor.examine import examine
from spliceproxy.doctor.finding import Finding, FindingStatus
from spliceproxy.doctor.machine import Machine
from spliceproxy.doctor.privileges import check_privileges
from spliceproxy.settings.proxy import Settings
from tests.doctor.conftest import MakeMachine
from tests.doctor.routes import routes

OK, WARN, FAIL = FindingStatus


def examined(settings: Settings | None, machine: Machine | None = None) -> dict[str, Finding]:
    found = {one.check: one for one in check_privileges(machine or Machine(), settings)}
    assert all(finding.remedy for finding in found.values() if finding.status is not OK)
    return found


def settings_with(user: str | None, *, sandbox: str = "auto", **of_route: Any) -> Settings:
    return routes(**of_route).model_copy(update={"user": user, "sandbox": sandbox})


def test_this_process(make_machine: MakeMachine) -> None:
    status = "CapPrm:\t0000\nCapEff:\t0400\nCapBnd:\t01ff"
    found = examined(None, make_machine({"proc/self/status": status}))["privileges.here"]
    assert found.status is OK
    assert "permitted 0000, effective 0400, bounding 01ff" in found.fact
    assert found.values["uid"] == os.geteuid()
    assert set(examined(None)) == {"privileges.here", "privileges.landlock"}


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can be another user")
def test_whom_workers_would_run_as(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spliceproxy.master.privileges._check_python", lambda identity: None)
    expected = {None: (WARN, "as root"), "nobody": (OK, "as nobody"), "none": (FAIL, "not known")}
    for user, (status, said) in expected.items():
        found = examined(settings_with(user))["privileges.workers"]
        assert (found.status, said in found.fact) == (status, True), found


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can be another user")
def test_directories_are_looked_at_as_the_workers_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spliceproxy.master.privileges._check_python", lambda identity: None)
    with tempfile.TemporaryDirectory() as name:
        os.chown(name, 65534, 65534)
        mirrors = [f"file:{name}"]
        for user, status in (("nobody", OK), (None, WARN)):
            found = {one.check: one for one in examine(settings_with(user, mirrors=mirrors))}
            assert found[f"mirrors.directory:{name}"].status is status
    assert os.geteuid() == 0


@pytest.mark.parametrize(
    ("abi", "settings", "status", "said"),
    [
        (7, None, OK, "Landlock, version 7"),
        (0, None, OK, "no Landlock"),
        (7, settings_with("nobody"), OK, "Landlock, version 7"),
        (0, settings_with("nobody"), WARN, "no Landlock"),
        (0, settings_with("nobody", sandbox="off"), OK, "no Landlock"),
        (0, settings_with(None), OK, "no Landlock"),
        (7, settings_with(None), OK, "not used without user"),
        (7, settings_with("nobody", sandbox="off"), OK, ": not used"),
        (7, settings_with("nobody", mirrors=["exec:cat"]), OK, "exec: mirrors"),
    ],
)
def test_landlock(
    abi: int,
    settings: Settings | None,
    status: FindingStatus,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(privileges, "find_abi", lambda: abi)
    found = examined(settings)["privileges.landlock"]
    assert (found.status, said in found.fact) == (status, True), found
    assert found.values == {"version": abi}
