"""How many connections fit, with the limit that the proxy would get."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from spliceproxy.doctor.file_limit import check_file_limit
from spliceproxy.doctor.finding import Finding, FindingStatus
from spliceproxy.doctor.machine import Machine
from spliceproxy.settings.proxy import Settings
from tests.doctor.conftest import MakeMachine
from tests.doctor.routes import routes


@contextmanager
def soft_limit(files: int) -> Iterator[int]:
    """Lower the soft limit; yields the hard one."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, before[1]))
    try:
        yield before[1]
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (files, before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def examined(settings: Settings | None) -> dict[str, Finding]:
    return {finding.check: finding for finding in check_file_limit(Machine(), settings)}


def test_the_limit_is_raised_and_put_back() -> None:
    with soft_limit(512) as hard:
        finding = examined(None)["files.limit"]
    assert finding.values["nofile"] == hard
    assert f"{hard} open files, raised from 512: " in finding.fact


def test_a_low_limit_that_stays() -> None:
    with soft_limit(1024):
        finding = examined(routes(raise_nofile=False))["files.limit"]
    assert finding.status is FindingStatus.WARN
    # 64 files are kept for other things, 64 pipes have two each, a connection has two.
    assert finding.values == {"nofile": 1024, "connections": (1024 - 64 - 2 * 64) // 2}
    assert "ulimit -Hn" in finding.remedy


@pytest.mark.parametrize(
    ("asked", "mirrors", "fit", "status"),
    [
        (416, (), 416, FindingStatus.OK),
        (417, (), 416, FindingStatus.FAIL),
        # Two descriptors more for each connection, 64 for pipes to mirrors, 6 for the mirror.
        (190, ("file:/audit",), 190, FindingStatus.OK),
        (191, ("file:/audit",), 190, FindingStatus.FAIL),
        (None, (), 416, FindingStatus.OK),
    ],
)
def test_routes(
    asked: int | None, mirrors: tuple[str, ...], fit: int, status: FindingStatus
) -> None:
    with soft_limit(1024):
        found = examined(routes(max_connections=asked, mirrors=mirrors, raise_nofile=False))
    finding = found["files.route:web"]
    assert finding.status is status
    assert finding.values == {"fit": fit, "asked": asked}
    assert f"{fit} connections in each worker" in finding.fact
    assert (f"where max_connections asks for {asked}" in finding.fact) == (
        status is FindingStatus.FAIL
    )


def test_what_to_set(make_machine: MakeMachine) -> None:
    settings = routes(max_connections=9000, raise_nofile=False)
    remedies = {}
    with soft_limit(1024):
        for ceiling in ("1048576", "16384"):
            machine = make_machine({"fs.nr_open": ceiling})
            found = {finding.check: finding for finding in check_file_limit(machine, settings)}
            remedies[ceiling] = found["files.route:web"].remedy
    # 18000 for connections, 64 for other things, and 1024 pipes.
    assert remedies["1048576"] == "ulimit -Hn 20112, or LimitNOFILE=20112 of systemd"
    assert remedies["16384"] == f"sysctl -w fs.nr_open=20112, then {remedies['1048576']}"
